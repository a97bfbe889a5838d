#pragma once
// Restarts that nobody asked for, counted and put beside the transmissions: a supply that is too weak fails while the modem transmits
// (FIELD row 27), and looks like a bug of the software otherwise.
#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "daemon/core/clock.hpp"

namespace conductor::driver {

class PowerWatch {
public:
    static constexpr std::chrono::hours window{1};
    /// A submission's transmission lies between Ctrl-Z and some seconds after it.
    static constexpr std::chrono::seconds transmitting{10};
    static constexpr std::size_t enough = 3;  ///< restarts while transmitting, within `window`
    static constexpr std::size_t most = 256;

    /// The modem restarted, or its USB device dropped. `ctrl_z`: when the last PDU was handed over.
    void restarted(Instant now, std::optional<Instant> ctrl_z);
    /// The modem said that its supply is too low; it may go on all the same.
    void warned(Instant now);
    /// We restarted it: what follows within a minute is no news.
    void expect(Instant now) { expected_until_ = now + std::chrono::minutes{1}; }

    std::size_t restarts(Instant now) const;  ///< within `window`
    /// A sentence when the supply is to blame, else empty.
    std::optional<std::string> verdict(Instant now) const;

private:
    struct Restart {
        Instant at;
        bool while_transmitting;
    };
    std::deque<Restart> restarts_;
    std::deque<Instant> warnings_;
    Instant expected_until_{};
};

}  // namespace conductor::driver
