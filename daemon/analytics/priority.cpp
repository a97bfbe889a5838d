#include "daemon/analytics/priority.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

namespace conductor::analytics {
namespace {

constexpr double neutral = 0.5;
constexpr double cycle_least = 7, cycle_unknown = 14;
constexpr int fatigue_full = 8;  ///< messages in 30 days that tire wholly

/// A factor in [0, 1] and its sentence.
struct Factor {
    double value = neutral;
    std::string sentence;
};

double one_decimal(double v) {
    return std::round(v * 10) / 10 + 0.0;  // no negative zero
}

Factor urgency_factor(const Counters& c, const config::Analytics& config, WallTime now) {
    if (!c.last_visit && c.life_hours && std::isfinite(*c.life_hours)) {
        // an hour or less is most urgent, a day or more is usual
        const double hours = std::clamp(*c.life_hours, 1.0, 24.0);
        return {1.0 - neutral * (hours - 1) / 23, fmt::format("It is wanted within {:.1f} hours of its due time.", *c.life_hours)};
    }
    if (!c.last_visit) return {neutral, "The last visit is not known."};
    const double days = std::max(0.0, std::chrono::duration<double, std::ratio<86400>>(now - *c.last_visit).count());
    const double cycle = std::max(cycle_least, c.cycle_days && std::isfinite(*c.cycle_days) ? *c.cycle_days : cycle_unknown);
    const PrimeWindow prime = prime_window(static_cast<int>(std::lround(std::min(cycle, 36'500.0))));
    const char* where = days < prime.first_day ? "before" : days > prime.last_day ? "after" : "inside";
    const Churn churn = churn_of(static_cast<int>(std::min(days, 36'500.0)), config);
    return {urgency(days / cycle),
            fmt::format("Last visit {:.0f} days ago, usual gap {:.0f}: {} the prime window of days {} to {}. Churn risk: {}.",
                        std::floor(days), cycle, where, prime.first_day, prime.last_day, to_string(churn))};
}

Factor value_factor(const Counters& c, const config::Analytics& config) {
    if (c.value_percentile && std::isfinite(*c.value_percentile)) {
        const double p = std::clamp(*c.value_percentile, 0.0, 1.0);
        return {p, fmt::format("Worth more than {:.0f} % of all customers.", p * 100)};
    }
    const Tier tier = tier_of(c.visits, config);
    constexpr std::array by_tier = {neutral, 0.1, 0.3, 0.6, 1.0};
    if (tier == Tier::unknown) return {neutral, "The customer's value is not known."};
    return {by_tier[static_cast<std::size_t>(tier)], fmt::format("{} visits: {}.", *c.visits, to_string(tier))};
}

Factor campaign_factor(const Counters& c) {
    if (!c.campaign || !std::isfinite(*c.campaign)) return {neutral, "The campaign has no priority of its own."};
    const double p = std::clamp(*c.campaign, 0.0, 100.0);
    return {p / 100, fmt::format("The campaign has priority {:.0f}.", p)};
}

/// One reply in four messages is usual: unknown customers count as such, and a few messages move little.
Factor response_factor(const Counters& c) {
    const int sent = std::max(0, c.sent), replied = std::clamp(c.replied, 0, sent);
    if (sent == 0) return {neutral, "Never written to."};
    const double rate = (replied + 1.0) / (sent + 4.0);
    return {std::min(1.0, 2 * rate), fmt::format("Answered {} of {} messages.", replied, sent)};
}

Factor fatigue_factor(const Counters& c) {
    const int recent = std::max(0, c.sent_30_days);
    return {std::min(1.0, static_cast<double>(recent) / fatigue_full), fmt::format("Got {} messages in the last 30 days.", recent)};
}

}  // namespace

double urgency(double ratio) {
    struct Point {
        double ratio, value;
    };
    constexpr Point curve[] = {{0, 0.05}, {0.5, 0.2}, {0.8, 0.6}, {1.0, 0.9}, {1.2, 1.0}, {2.0, 0.7}, {4.0, 0.3}, {8.0, 0.1}};
    if (!(ratio > 0)) return curve[0].value;
    for (std::size_t i = 1; i < std::size(curve); ++i) {
        if (ratio > curve[i].ratio) continue;
        const double share = (ratio - curve[i - 1].ratio) / (curve[i].ratio - curve[i - 1].ratio);
        return curve[i - 1].value + share * (curve[i].value - curve[i - 1].value);
    }
    return curve[std::size(curve) - 1].value;
}

PrimeWindow prime_window(int cycle_days) {
    return {4 * cycle_days / 5, (6 * cycle_days + 4) / 5};
}

Priority priority_of(const Counters& counters, const config::Analytics& config, WallTime now) {
    struct Weighed {
        const char* name;
        double weight;
        Factor factor;
    };
    const config::Weights& w = config.weights;
    const Weighed all[] = {{"urgency", w.urgency, urgency_factor(counters, config, now)},
                           {"value", w.value, value_factor(counters, config)},
                           {"campaign", w.campaign, campaign_factor(counters)},
                           {"response", w.response, response_factor(counters)},
                           {"fatigue", w.fatigue, fatigue_factor(counters)}};
    double positive = 0, negative = 0;
    for (const Weighed& x : all) (x.weight > 0 ? positive : negative) += std::abs(x.weight);
    Priority out;
    const double scale = positive > 0 ? 100 / positive : negative > 0 ? 100 / negative : 0;
    double sum = 0;
    if (positive <= 0) {
        sum = 100;
        out.parts.push_back({"base", sum, "No weight is positive, so points are only taken off."});
    }
    for (const Weighed& x : all) {
        const double points = x.weight * scale * x.factor.value;
        sum += points;
        out.parts.push_back({x.name, one_decimal(points), x.factor.sentence});
    }
    out.value = one_decimal(std::clamp(sum, 0.0, 100.0));
    return out;
}

Tier tier_of(std::optional<int> visits, const config::Analytics& config) {
    if (!visits) return Tier::unknown;
    if (*visits >= config.vip) return Tier::vip;
    if (*visits >= config.regular) return Tier::regular;
    return *visits >= config.casual ? Tier::casual : Tier::fresh;
}

Churn churn_of(std::optional<int> days_away, const config::Analytics& config) {
    if (!days_away) return Churn::unknown;
    if (*days_away > config.churn_critical) return Churn::critical;
    if (*days_away >= config.churn_high) return Churn::high;
    return *days_away >= config.churn_medium ? Churn::medium : Churn::low;
}

std::string_view to_string(Tier t) {
    constexpr std::string_view names[] = {"Unknown", "New", "Casual", "Regular", "VIP"};
    return names[static_cast<std::size_t>(t)];
}

std::string_view to_string(Churn c) {
    constexpr std::string_view names[] = {"Unknown", "Low", "Medium", "High", "Critical"};
    return names[static_cast<std::size_t>(c)];
}

std::int64_t aged_rank(int message_class, double priority, WallTime due) {
    constexpr double ms_per_point = std::chrono::duration<double, std::milli>(full_ageing).count() / 100;
    const double p = priority > 0 ? std::min(priority, 100.0) : 0.0;
    return to_ms(due - message_class * class_ageing) - static_cast<std::int64_t>(p * ms_per_point);
}

namespace {

/// One letter a field.
template <class Counters, class Field>
void each_field(Counters& c, Field field) {
    field('c', c.cycle_days);
    field('p', c.value_percentile);
    field('n', c.visits);
    field('k', c.campaign);
    field('s', c.sent);
    field('r', c.replied);
    field('m', c.sent_30_days);
    field('l', c.life_hours);
}

}  // namespace

std::string pack(const Counters& counters) {
    std::string out;
    if (counters.last_visit) out += fmt::format("v{};", to_ms(*counters.last_visit));
    each_field(counters, [&](char name, const auto& value) {
        if constexpr (requires { value.has_value(); }) {
            if (value) out += fmt::format("{}{:.6g};", name, static_cast<double>(*value));
        } else if (value != 0) {
            out += fmt::format("{}{};", name, value);
        }
    });
    return out;
}

Counters unpack(std::string_view text) {
    Counters c;
    while (!text.empty()) {
        const auto end = std::min(text.find(';'), text.size());
        double value = 0;
        const bool read = end > 1 && std::from_chars(text.data() + 1, text.data() + end, value).ec == std::errc{};
        if (read && text[0] == 'v') c.last_visit = from_ms(static_cast<std::int64_t>(value));
        each_field(c, [&](char name, auto& field) {
            if (!read || name != text[0]) return;
            if constexpr (requires { field.value(); })
                field = static_cast<typename std::remove_reference_t<decltype(field)>::value_type>(value);
            else
                field = static_cast<int>(value);
        });
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return c;
}

}  // namespace conductor::analytics
