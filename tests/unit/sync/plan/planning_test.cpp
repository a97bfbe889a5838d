// Back-off, batches and time: the arithmetic between the calls.
#include <doctest/doctest.h>

#include <random>

#include "sync/plan/backoff.hpp"
#include "sync/plan/batch.hpp"
#include "sync/plan/timing.hpp"

using namespace conductor;
using namespace conductor::sync;
using namespace std::chrono_literals;
using std::chrono::milliseconds;

namespace {
const Instant t0{1000s};

/// Each call is made when the wait after the one before is over, and fails at once.
struct Probes : BackOff {
    Probes() : BackOff{BackOffPolicy{}} {}
    Instant at = t0;
    milliseconds fail(Action action, std::optional<std::chrono::seconds> retry_after, double random, Reached reached = Reached::server) {
        at += left(at);
        return failed({at, at}, action, retry_after, random, reached);
    }
};

}  // namespace

TEST_CASE("back-off: full jitter that doubles up to five minutes, and is forgotten after a success") {
    const milliseconds tops[] = {1s, 2s, 4s, 8s, 16s, 32s, 64s, 128s, 256s, 300s, 300s};
    Probes high, low;
    for (const milliseconds top : tops) {
        CHECK(high.fail(Action::retry, {}, 1.0) == top);
        CHECK(low.fail(Action::retry, {}, 0.0) == 200ms);  // never a busy loop
    }
    CHECK(high.left(high.at) == 300s);
    CHECK(high.left(high.at + 299s) == 1s);
    CHECK(high.left(high.at + 301s) == 0ms);
    for (int i = 0; i < 5000; ++i) high.fail(Action::retry, {}, 1.0);
    CHECK(high.left(high.at) == 300s);
    high.succeeded();
    CHECK(high.left(high.at) == 0ms);
    CHECK(high.failures() == 0);
    CHECK(high.fail(Action::retry, {}, 1.0) == 1s);
}

TEST_CASE("back-off: Retry-After is a floor, and each class has its scale") {
    CHECK(Probes{}.fail(Action::retry, 20s, 0.5) == 20s);
    CHECK(Probes{}.fail(Action::retry, 1s, 1.0) == 1s);
    CHECK(Probes{}.fail(Action::not_ready, {}, 1.0) == 5s);
    CHECK(Probes{}.fail(Action::refresh, {}, 0.5) == 15min);
    CHECK(Probes{}.fail(Action::other_key, {}, 0.0) == 12min);
    CHECK(Probes{}.fail(Action::restricted, {}, 0.0) == 5min);
    Probes away;  // a box whose line is back tells all within a minute
    for (int i = 0; i < 20; ++i) CHECK(away.fail(Action::retry, {}, 1.0, Reached::nobody) <= 30s);
    CHECK(away.left(away.at) == 30s);
    CHECK(away.fail(Action::retry, {}, 1.0, Reached::server) == 300s);
    Probes r;
    CHECK(r.fail(Action::restricted, {}, 1.0) == 10min);
    for (int i = 0; i < 10; ++i) r.fail(Action::restricted, {}, 1.0);
    CHECK(r.left(r.at) == 60min);
}

TEST_CASE("back-off: of calls that fail beside each other one counts") {
    struct Row {
        const char* name;
        milliseconds begun, ended;  // after the first failure
        Action action;
        std::optional<std::chrono::seconds> retry_after;
        milliseconds wait;  // after `ended`
        int failures;
    };
    const Row rows[] = {
        {"beside it", -1s, 0s, Action::retry, {}, 1s, 1},
        {"beside it, and the later one", -1s, 400ms, Action::retry, {}, 600ms, 1},
        {"beside it, and later than its wait", -1s, 20s, Action::retry, {}, 0s, 1},
        {"begun in the wait, and over in it", 100ms, 200ms, Action::retry, {}, 800ms, 1},
        {"begun in the wait, and over after it", 100ms, 20s, Action::retry, {}, 2s, 2},
        {"a probe", 1s, 1s, Action::retry, {}, 2s, 2},
        {"beside it, and told how long to wait", -1s, 400ms, Action::retry, 20s, 20s, 1},
        {"told to wait less", -1s, 400ms, Action::retry, 0s, 600ms, 1},
        {"beside it, and of a class that lasts", -1s, 400ms, Action::not_ready, {}, 5s, 1},
        {"beside it, and shut out", -1s, 400ms, Action::restricted, {}, 10min, 1},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        BackOff b;
        b.failed({t0 - 1s, t0}, Action::retry, {}, 1.0);
        CHECK(b.failed({t0 + row.begun, t0 + row.ended}, row.action, row.retry_after, 1.0) == row.wait);
        CHECK(b.left(t0 + row.ended) == row.wait);
        CHECK(b.failures() == row.failures);
    }
    BackOff shut_out;
    shut_out.failed({t0, t0}, Action::restricted, {}, 1.0);
    CHECK(shut_out.failed({t0, t0 + 1s}, Action::retry, {}, 1.0) == 599s);
}

TEST_CASE("breaker: opens at the fifth failure in a row that passes by itself") {
    Probes b;
    for (int i = 0; i < 4; ++i) b.fail(Action::retry, {}, 0.5);
    for (int i = 0; i < 5; ++i) b.failed({b.at, b.at}, Action::retry, {}, 0.5);  // beside the fourth
    CHECK_FALSE(b.open());
    CHECK_FALSE(b.refuses(b.at));
    const Instant begun = b.at;
    b.fail(Action::retry, {}, 0.5);
    CHECK(b.open());
    CHECK(b.refuses(b.at));
    CHECK_FALSE(b.refuses(b.at + b.left(b.at)));  // the probe
    SUBCASE("the probe is answered") {
        b.fail(Action::not_ready, {}, 0.5);
    }
    SUBCASE("a call that was under way is answered") {
        b.failed({begun, b.at}, Action::not_ready, {}, 0.5);
    }
    CHECK_FALSE(b.open());
    CHECK(b.left(b.at) > 0ms);
    b.succeeded();
    CHECK_FALSE(b.refuses(b.at));
}

TEST_CASE("cut: every item once, in order, within both limits") {
    std::mt19937_64 rng{7};
    for (int round = 0; round < 200; ++round) {
        std::vector<std::size_t> sizes(rng() % 400);
        for (auto& size : sizes) size = rng() % (rng() % 20 == 0 ? 400'000 : 3'000);
        std::size_t next = 0;
        for (const Range& range : cut(sizes)) {
            CHECK(range.begin == next);
            CHECK(range.size() >= 1);
            CHECK(range.size() <= 100);
            std::size_t total = 0;
            for (std::size_t i = range.begin; i < range.end; ++i) total += sizes[i];
            CHECK((total <= max_batch_octets || range.size() == 1));
            next = range.end;
        }
        CHECK(next == sizes.size());
    }
    const std::vector<std::size_t> sizes = {10, 10, 10, 25, 5, 20, 1};
    CHECK(cut(sizes, 3, 30) == std::vector<Range>{{0, 3}, {3, 5}, {5, 7}});
    CHECK(cut({}).empty());
}

TEST_CASE("bisect: finds each bad item, keeps the order, and takes few requests") {
    std::mt19937_64 rng{11};
    for (int round = 0; round < 100; ++round) {
        const std::size_t n = 1 + rng() % 300;
        std::vector<bool> bad(n);
        std::size_t bad_count = 0;
        for (std::size_t i = 0; i < rng() % 4; ++i) {
            const std::size_t at = rng() % n;
            bad_count += bad[at] ? 0 : 1;
            bad[at] = true;
        }
        Bisect work{cut(std::vector<std::size_t>(n, 100))};
        std::vector<std::size_t> taken, refused;
        std::size_t requests = 0, last = 0;
        while (const auto range = work.next()) {
            ++requests;
            CHECK(range->begin >= last);
            bool poisoned = false;
            for (std::size_t i = range->begin; i < range->end; ++i) poisoned = poisoned || bad[i];
            if (poisoned) {
                if (const auto alone = work.refused()) refused.push_back(*alone), last = *alone + 1;
            } else {
                for (std::size_t i = range->begin; i < range->end; ++i) taken.push_back(i);
                last = range->end;
                work.accepted();
            }
        }
        CHECK(taken.size() + refused.size() == n);
        CHECK(refused.size() == bad_count);
        for (const std::size_t i : refused) CHECK(bad[i]);
        CHECK(requests <= 3 + bad_count * 2 * 7);  // 100 items: 7 halvings
    }
}

TEST_CASE("server clock: the smallest round trip wins until it is old") {
    ServerClock clock;
    CHECK_FALSE(clock.now(t0));
    clock.add(t0, t0 + 400ms, from_ms(1'000'200));
    CHECK(clock.now(t0 + 200ms) == from_ms(1'000'200));
    CHECK(clock.now(t0 + 1200ms) == from_ms(1'001'200));
    clock.add(t0 + 10s, t0 + 10s + 20ms, from_ms(1'010'050));  // better: 10 ms
    CHECK(clock.now(t0 + 10s + 10ms) == from_ms(1'010'050));
    clock.add(t0 + 20s, t0 + 22s, from_ms(1'500'000));  // worse: not taken
    CHECK(clock.now(t0 + 20s + 10ms) == from_ms(1'020'050));
    clock.add(t0 + 3h, t0 + 3h + 2s, from_ms(12'000'000));  // 1 s against 10 ms and 1.08 s of drift: taken
    CHECK(clock.now(t0 + 3h + 1s) == from_ms(12'000'000));
    clock.add(t0 + 4h, t0 + 3h, from_ms(1));  // an end before its start is none
    CHECK(clock.now(t0 + 3h + 1s) == from_ms(12'000'000));
}

TEST_CASE("lease_deadline: counted from the request, with a guard for the slowest send") {
    struct Row {
        const char* name;
        std::chrono::seconds lease;
        int parts;
        std::chrono::seconds want;  // after the request
    };
    const Row rows[] = {
        {"ten minutes, one part: 6 s guard", 600s, 1, 564s}, {"one minute: 5 s guard", 60s, 1, 25s}, {"three parts", 600s, 3, 504s},
        {"no parts counts as one", 600s, 0, 564s},           {"a day: 1 %", 86400s, 1, 85506s},      {"over already", 0s, 1, -35s},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const WallTime server = from_ms(5'000'000);
        CHECK(lease_deadline(t0, server, server + row.lease, row.parts) == t0 + row.want);
    }
}
