#pragma once
// The send priority: what is known of a customer, a campaign and the history of messages, to 0-100 points that can be explained.
#include <chrono>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "daemon/config/config.hpp"
#include "daemon/core/clock.hpp"

namespace conductor::analytics {

/// What is known; an empty field is unknown and counts as neutral.
struct Counters {
    std::optional<WallTime> last_visit;      ///< or last order
    std::optional<double> cycle_days;        ///< mean gap between visits; below 7 counts as 7; unknown with a last visit: 14
    std::optional<double> value_percentile;  ///< of lifetime value or order value among all customers, [0, 1]
    std::optional<int> visits;               ///< stands in where the percentile is unknown
    std::optional<double> campaign;          ///< priority of the campaign, [0, 100]
    int sent = 0;                            ///< messages sent to this number, ever
    int replied = 0;                         ///< of those, answered within 3 days
    int sent_30_days = 0;                    ///< messages in the last 30 days
    std::optional<double> life_hours;        ///< between due time and expiry, where the caller named it: stands in for the last visit
};
/// One short line for the database, and back; what cannot be read counts as unknown.
std::string pack(const Counters& counters);
Counters unpack(std::string_view text);

/// One part of the score. Points of all parts add up to the score before it is cut to 0-100.
struct Part {
    std::string name;      ///< "urgency", "value", "campaign", "response", "fatigue", "base" (where no weight is positive)
    double points = 0;     ///< one decimal
    std::string sentence;  ///< why
};
struct Priority {
    double value = 50;  ///< [0, 100], one decimal, higher first
    std::vector<Part> parts;
};

/// Deterministic. Positive weights are scaled so that a message with every factor at its best has 100 points; negative ones take off on the
/// same scale. Ages are computed from dates and `now`, never stored.
Priority priority_of(const Counters& counters, const config::Analytics& config, WallTime now);

/// Days after the last visit between which a customer with this cycle is due: floor(0.8 c) to ceil(1.2 c).
struct PrimeWindow {
    int first_day = 0, last_day = 0;
    bool operator==(const PrimeWindow&) const = default;
};
PrimeWindow prime_window(int cycle_days);

/// How urgent, [0, 1], by days since the last visit over the cycle. Continuous: rises to 1 at the end of the prime window (ratio 1.2), then
/// falls slowly; never 0, so that nobody is forgotten.
double urgency(double ratio);

/// Customers by visits and by days away, with the configured thresholds (SYSTEM 4.1 set A, 4.3).
enum class Tier : std::uint8_t { unknown, fresh, casual, regular, vip };
enum class Churn : std::uint8_t { unknown, low, medium, high, critical };
Tier tier_of(std::optional<int> visits, const config::Analytics& config);
Churn churn_of(std::optional<int> days_away, const config::Analytics& config);
std::string_view to_string(Tier t);
std::string_view to_string(Churn c);

/// Ageing against starvation: time counts against priority. All of the priority's range is worth `full_ageing`, and a class (0 marketing,
/// 1 transactional, 2 reply) `class_ageing`. So the order of two messages never changes while they wait, and a message is overtaken only by
/// messages of its own class that became due less than 4 h after it, and by others less than 52 h after it.
constexpr std::chrono::hours full_ageing{4}, class_ageing{24};
/// Rank in the queue: lower goes first. `priority` is cut to [0, 100]. The database orders by the same numbers (migration 005).
std::int64_t aged_rank(int message_class, double priority, WallTime due);

}  // namespace conductor::analytics
