#pragma once
// Which ready messages the modems leave to each other: to the SIM that wrote to the recipient before, or away from the modem that failed
// with it. A hint with a time limit, so that it never keeps anything from going out; lost with the process. Used on the store's thread.
#include <cstdint>
#include <optional>
#include <unordered_map>

#include "daemon/core/clock.hpp"
#include "daemon/core/ids.hpp"

namespace conductor::service {

class HandOver {
public:
    /// A message waits no longer than this for the SIM that is better for it; then whoever is free takes it.
    static constexpr std::chrono::seconds bound{20};
    /// And no modem has more than this many kept for it, so that it is no slower than its neighbours by more than these.
    static constexpr int most_for_one = 8;
    static constexpr std::size_t most = 1024;

    /// Leaves a message to the modems of `mask`; false when it was left once already, or they have enough.
    bool leave(MessageId id, std::uint64_t mask, WallTime now);
    /// Is it left to others than `modem` for now? `able`: the modems that could take it; without one of them it is anybody's.
    bool left_to_others(MessageId id, ModemIndex modem, std::uint64_t able, WallTime now) const;
    /// When the first of those that are left to others becomes anybody's.
    std::optional<WallTime> next_end(WallTime now) const;
    void taken(MessageId id) { kept_.erase(id.value); }

private:
    struct Kept {
        std::uint64_t mask;
        WallTime until;
    };
    std::unordered_map<std::int64_t, Kept> kept_;
};

}  // namespace conductor::service
