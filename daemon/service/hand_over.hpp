#pragma once
// Which numbers the modems leave to each other: to the SIM that wrote to the number before, or away from the modem that failed with a
// message to it. All that waits for such a number is left, so that it keeps its order. A hint with a time limit, so that it never keeps
// anything from going out; lost with the process. Used on the store's thread.
#include <cstdint>
#include <optional>
#include <string>
#include <unordered_map>

#include "daemon/core/clock.hpp"
#include "daemon/core/ids.hpp"

namespace conductor::service {

class HandOver {
public:
    /// A message waits no longer than this for the SIM that is better for it; then whoever is free takes it.
    static constexpr std::chrono::seconds bound{20};
    /// And no modem has more numbers than this kept for it, so that it is no slower than its neighbours by more than these.
    static constexpr int most_for_one = 8;
    static constexpr std::size_t most = 1024;

    /// Leaves a number to the modems of `mask`; false when it was left to somebody already, or they have enough.
    bool leave(const std::string& phone, std::uint64_t mask, WallTime now);
    /// Is it left to others than `modem` for now? `able`: the modems that could take it; without one of them it is anybody's.
    bool left_to_others(const std::string& phone, ModemIndex modem, std::uint64_t able, WallTime now) const;
    /// When the first of those that are left to others becomes anybody's.
    std::optional<WallTime> next_end(WallTime now) const;
    void taken(const std::string& phone) { kept_.erase(phone); }
    bool empty() const { return kept_.empty(); }

private:
    struct Kept {
        std::uint64_t mask;
        WallTime until;
    };
    std::unordered_map<std::string, Kept> kept_;
};

}  // namespace conductor::service
