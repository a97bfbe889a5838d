#pragma once
// The server's time from its answers, and until when a leased row may be sent. Wall clocks of the two sides are never compared.
#include <chrono>
#include <optional>

#include "daemon/core/clock.hpp"

namespace conductor::sync {

/// What time it is at the server, from the answer with the smallest round trip. An old sample gives way as drift makes it unsure.
class ServerClock {
public:
    /// An answer that was asked for at `start`, came at `end` and says `server_now`.
    void add(Instant start, Instant end, WallTime server_now);
    /// Empty before the first answer.
    std::optional<WallTime> now(Instant at) const;

private:
    struct Sample {
        Instant middle{};
        WallTime server{};
        std::chrono::nanoseconds half{};
    };
    std::optional<Sample> best_;
};

/// Worst time from the start of AT+CMGS to its final result, for each part.
inline constexpr std::chrono::seconds worst_part_time{30};

/// No AT+CMGS of the row may start after this instant (SUPABASE.md 8.3): what was left of the lease when the request left this host, less
/// a guard of max(5 s, 1 % of the lease) and the worst time that `parts` parts take.
Instant lease_deadline(Instant requested_at, WallTime server_now, WallTime lease_expires_at, int parts);

}  // namespace conductor::sync
