#include "daemon/analytics/priority.hpp"

#include <doctest/doctest.h>

#include <cmath>
#include <limits>
#include <random>

using namespace conductor;
using namespace conductor::analytics;
using namespace std::chrono_literals;

namespace {

const WallTime now = *parse_rfc3339("2026-11-20T18:00:00Z");
WallTime days_ago(int n) {
    return now - std::chrono::days{n};
}

}  // namespace

TEST_CASE("priority: examples, part by part") {
    struct Row {
        std::string name;
        Counters counters;
        double want;
        std::vector<double> points;  ///< urgency, value, campaign, response, fatigue
    };
    const Row rows[] = {
        {"nothing known", {}, 50, {17.5, 12.5, 7.5, 12.5, 0}},
        {"the best of all",
         {.last_visit = days_ago(12), .cycle_days = 10, .value_percentile = 1, .campaign = 100, .sent = 10, .replied = 10},
         100,
         {35, 25, 15, 25, 0}},
        {"inside the prime window", {.last_visit = days_ago(10), .cycle_days = 10}, 64, {31.5, 12.5, 7.5, 12.5, 0}},
        {"just bought", {.last_visit = days_ago(0), .cycle_days = 10}, 34.3, {1.8, 12.5, 7.5, 12.5, 0}},
        {"a tired VIP", {.visits = 16, .sent = 8, .replied = 0, .sent_30_days = 8}, 44.2, {17.5, 25, 7.5, 4.2, -10}},
        {"half tired", {.sent_30_days = 4}, 45, {17.5, 12.5, 7.5, 12.5, -5}},
        {"gone for ever, of no value",
         {.last_visit = days_ago(900), .cycle_days = 10, .value_percentile = 0, .campaign = 0, .sent = 96, .sent_30_days = 8},
         0,
         {3.5, 0, 0, 0.5, -10}},
    };
    const config::Analytics config;
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Priority p = priority_of(row.counters, config, now);
        CHECK(p.value == doctest::Approx(row.want));
        REQUIRE(p.parts.size() == row.points.size());
        for (std::size_t i = 0; i < p.parts.size(); ++i) {
            CAPTURE(p.parts[i].name);
            CHECK(p.parts[i].points == doctest::Approx(row.points[i]));
            CHECK(p.parts[i].sentence.ends_with('.'));
        }
    }
    CHECK(priority_of({.last_visit = days_ago(11), .cycle_days = 10}, config, now).parts[0].sentence ==
          "Last visit 11 days ago, usual gap 10: inside the prime window of days 8 to 12. Churn risk: Low.");
    const config::Analytics strict{.churn_medium = 5, .churn_high = 8, .churn_critical = 10};
    CHECK(priority_of({.last_visit = days_ago(11), .cycle_days = 10}, strict, now).parts[0].sentence.ends_with("Churn risk: Critical."));
}

TEST_CASE("priority: bounded and explained for every input and every weight") {
    std::mt19937_64 rng{7};
    std::uniform_real_distribution<double> any{-200, 200};
    std::uniform_int_distribution<int> count{-3, 40};
    for (int i = 0; i < 5000; ++i) {
        CAPTURE(i);
        config::Analytics config;
        for (double* w :
             {&config.weights.urgency, &config.weights.value, &config.weights.campaign, &config.weights.response, &config.weights.fatigue})
            *w = any(rng);
        const Counters c{.last_visit = now - std::chrono::hours{count(rng) * 50},
                         .cycle_days = any(rng),
                         .value_percentile = any(rng) / 100,
                         .visits = count(rng),
                         .campaign = any(rng),
                         .sent = count(rng),
                         .replied = count(rng),
                         .sent_30_days = count(rng)};
        const Priority p = priority_of(c, config, now);
        CHECK(p.value >= 0);
        CHECK(p.value <= 100);
        double sum = 0;
        for (const auto& part : p.parts) sum += part.points;
        CHECK(p.value == doctest::Approx(std::clamp(sum, 0.0, 100.0)).epsilon(0.01).scale(100));
        CHECK(priority_of(c, config, now).value == p.value);
    }
    config::Analytics only_off;
    only_off.weights = {0, 0, 0, 0, -10};
    CHECK(priority_of({.sent_30_days = 4}, only_off, now).value == 50);
    only_off.weights = {0, 0, 0, 0, 0};
    CHECK(priority_of({}, only_off, now).value == 100);
    constexpr double nan = std::numeric_limits<double>::quiet_NaN();
    CHECK(priority_of({.last_visit = days_ago(3), .cycle_days = nan, .value_percentile = nan, .campaign = nan}, {}, now).value > 0);
}

TEST_CASE("priority: weights count by their shares") {
    config::Analytics twice;
    twice.weights = {70, 50, 30, 50, -20};
    const Counters c{
        .last_visit = days_ago(20), .cycle_days = 15, .value_percentile = 0.8, .campaign = 75, .sent = 6, .replied = 2, .sent_30_days = 3};
    CHECK(priority_of(c, twice, now).value == priority_of(c, {}, now).value);
}

TEST_CASE("urgency: continuous, best at the end of the prime window, never 0") {
    for (double r = 0; r < 12; r += 0.001) {
        CHECK(std::abs(urgency(r + 0.001) - urgency(r)) < 0.002);
        CHECK(urgency(r) > 0);
        CHECK(urgency(r) <= urgency(1.2));
    }
    CHECK(urgency(1.2) == doctest::Approx(1.0));
    CHECK(urgency(0.9) == doctest::Approx(0.75));
    CHECK(urgency(-1) == urgency(0));
    CHECK(urgency(std::nan("")) == urgency(0));
}

TEST_CASE("prime window: 0.8 to 1.2 of the cycle, exactly") {
    CHECK(prime_window(10) == PrimeWindow{8, 12});
    CHECK(prime_window(14) == PrimeWindow{11, 17});
    CHECK(prime_window(7) == PrimeWindow{5, 9});
    for (int c = 1; c < 400; ++c) {
        CHECK(prime_window(c).first_day == static_cast<int>(std::floor(0.8 * c + 1e-9)));
        CHECK(prime_window(c).last_day == static_cast<int>(std::ceil(1.2 * c - 1e-9)));
    }
}

TEST_CASE("tiers and churn at their boundaries") {
    const config::Analytics config;
    const std::pair<std::optional<int>, Tier> tiers[] = {{{}, Tier::unknown}, {0, Tier::fresh},   {1, Tier::fresh},    {2, Tier::casual},
                                                         {5, Tier::casual},   {6, Tier::regular}, {15, Tier::regular}, {16, Tier::vip}};
    for (const auto& [visits, want] : tiers) CHECK(tier_of(visits, config) == want);
    const std::pair<std::optional<int>, Churn> churns[] = {{{}, Churn::unknown}, {0, Churn::low},      {29, Churn::low},
                                                           {30, Churn::medium},  {59, Churn::medium},  {60, Churn::high},
                                                           {90, Churn::high},    {91, Churn::critical}};
    for (const auto& [away, want] : churns) CHECK(churn_of(away, config) == want);
    CHECK(to_string(Tier::vip) == "VIP");
    CHECK(to_string(Churn::critical) == "Critical");
}

TEST_CASE("counters: what is stored is what explains the score") {
    const Counters all{.last_visit = now - 240h,
                       .cycle_days = 14.5,
                       .value_percentile = 0.93,
                       .visits = 21,
                       .campaign = 80,
                       .sent = 12,
                       .replied = 5,
                       .sent_30_days = 3,
                       .life_hours = 2.5};
    for (const Counters& c : {all, Counters{}, Counters{.visits = 0}, Counters{.sent = 1}}) {
        const Counters back = unpack(pack(c));
        CHECK(pack(back) == pack(c));
        const auto one = priority_of(c, {}, now), two = priority_of(back, {}, now);
        CHECK(one.value == two.value);
        REQUIRE(one.parts.size() == two.parts.size());
        for (std::size_t i = 0; i < one.parts.size(); ++i) CHECK(one.parts[i].sentence == two.parts[i].sentence);
    }
    CHECK(pack({}).empty());
    CHECK(pack(unpack("n;x7;;s;zz")).empty());
    CHECK(pack(unpack("n12")) == "n12;");
}

TEST_CASE("urgency by expiry, where no visit is known") {
    const auto points = [](std::optional<double> hours) { return priority_of({.life_hours = hours}, {}, now).parts.at(0).points; };
    CHECK(points(0.5) == 35);
    CHECK(points(24) == 17.5);
    CHECK(points(400) == 17.5);
    CHECK(points(std::nullopt) == 17.5);
    CHECK(points(2) > points(12));
}

TEST_CASE("ageing: the lowest priority is overtaken for four hours at most") {
    CHECK(aged_rank(0, 100, now) < aged_rank(0, 0, now));
    CHECK(aged_rank(0, 50, now) < aged_rank(0, 49.9, now));
    CHECK(aged_rank(0, 0, now) <= aged_rank(0, 100, now + full_ageing));
    CHECK(aged_rank(0, 0, now) > aged_rank(0, 100, now + full_ageing - 1s));
    CHECK(aged_rank(0, 50, now) < aged_rank(0, 50, now + 1ms));  // first come, first served
    CHECK(aged_rank(0, 1e9, now) == aged_rank(0, 100, now));
    CHECK(aged_rank(0, std::nan(""), now) == aged_rank(0, 0, now));
    CHECK(aged_rank(1, 0, now) < aged_rank(0, 100, now));  // classes first
    CHECK(aged_rank(0, 0, now) <= aged_rank(2, 100, now + 2 * class_ageing + full_ageing));
}
