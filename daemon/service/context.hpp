#pragma once
// What every service works with. One per daemon; services hold a reference.
#include <memory>
#include <random>

#include "daemon/aio/aio.hpp"
#include "daemon/config/config.hpp"
#include "daemon/core/wall_clock.hpp"
#include "daemon/store/store.hpp"

namespace conductor::service {

/// What jobs on the store's thread may use: never changed after it is made, replaced as a whole when the configuration is reloaded.
struct Env {
    config::Config config;
    std::string instance;  ///< UUID of this database; makes the keys of keyless messages
};

/// Limits that have no key in the configuration.
struct Limits {
    static constexpr std::chrono::hours reassembly{1};    ///< then a message with missing parts is shown with gaps
    static constexpr std::chrono::hours report_grace{1};  ///< after TP-VP, then delivery_status is unknown
    static constexpr int promote_batch = 500;             ///< rows made ready in one commit
    static constexpr int examined_per_pick = 64;          ///< candidates looked at in one commit
    static constexpr int not_sent_pause_after = 3;        ///< submissions of one message that never reached Ctrl-Z, before it backs off
};

struct Context {
    aio::Executor executor;
    const Clock& clock;
    store::Store& store;
    Log log;
    std::shared_ptr<const Env> env;
    std::mt19937_64 rng;
    mutable RecordClock records = {};

    /// A random UUID (version 4) from `rng`.
    std::string uuid();
    /// The wall clock, or nothing while it is not sure: then nothing timed may happen.
    std::optional<WallTime> wall() const;
    /// For records alone: the wall clock, or the best that is known while it is not sure.
    WallTime record_time() const { return wall().value_or(records.time(clock.now())); }
};

/// UUID text from 128 bits, with version and variant set.
std::string format_uuid(std::uint64_t high, std::uint64_t low, int version);

}  // namespace conductor::service
