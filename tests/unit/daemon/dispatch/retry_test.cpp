#include "daemon/dispatch/retry.hpp"

#include <doctest/doctest.h>

using namespace conductor;
using namespace conductor::dispatch;
using namespace std::chrono_literals;

namespace {

at::Verdict cms(int code) {
    return at::classify({at::FailureKind::cms, code, at::Phase::after_ctrl_z});
}
at::Verdict cme(int code) {
    return at::classify({at::FailureKind::cme, code, at::Phase::before_ctrl_z});
}
at::Verdict of(at::FailureKind kind, at::Phase phase) {
    return at::classify({kind, std::nullopt, phase});
}

config::Send exact() {
    config::Send send;  // 30 s, doubled, at most 1 h, 5 attempts
    send.retry.jitter = 0;
    return send;
}

}  // namespace

TEST_CASE("next_try") {
    constexpr auto again = Then::again, give_up = Then::give_up, unknown = Then::unknown;
    struct Row {
        std::string name;
        at::Verdict verdict;
        Tried tried;
        Then then;
        std::chrono::milliseconds delay{0};
        bool counts = true, pause_sim = false;
    };
    const Row rows[] = {
        {"dead number", cms(1), {}, give_up},
        {"our PDU", cms(304), {}, give_up},
        {"an element unknown: once more", cms(99), {}, again, 30s},
        {"an element unknown, twice", cms(99), {.counted = 1, .strikes = 1}, give_up},
        {"network failure", cms(41), {}, again, 30s},
        {"network failure again: another operator", cms(41), {.counted = 1, .strikes = 1}, again, 60s, true},
        {"network failure, fourth", cms(41), {.counted = 3, .strikes = 3}, again, 240s, true},
        {"attempts used up", cms(41), {.counted = 4, .strikes = 4}, give_up},
        {"38: soon again", cms(38), {}, again, 30s},
        {"38, the last of its three strikes comes late", cms(38), {.counted = 1, .strikes = 1}, again, 600s},
        {"38 has three strikes of its own", cms(38), {.counted = 2, .strikes = 2}, give_up},
        {"38 after another error", cms(38), {.counted = 2, .strikes = 0}, again, 120s},
        {"phone off: quarter of an hour", cms(27), {}, again, 15min},
        {"phone off, second: an hour", cms(27), {.counted = 1, .strikes = 1}, again, 60min},
        {"phone off, fourth: at most four hours", cms(27), {.counted = 3, .strikes = 3}, again, 4h},
        {"no network costs no attempt, however many were used", cms(331), {.counted = 4}, again, 30s, false},
        {"no network for long: other modem, slower", cme(30), {.counted = 4, .strikes = 3}, again, 240s, false},
        {"SIM busy: at once on the same modem", cme(14), {}, again, 2s, false},
        {"SIM busy, third", cme(14), {.strikes = 2}, again, 8s, false},
        {"SIM busy too often: elsewhere", cme(14), {.strikes = 4}, again, 8min, false},
        {"lost transfer twice: it is this message", cms(81), {.counted = 4, .strikes = 1}, give_up},
        {"modem failure", cme(0), {}, again, 30s, false},
        {"SIM barred", cms(8), {}, again, 0s, false, true},
        {"SIM absent", cme(10), {.counted = 4, .strikes = 2}, again, 60s, false, true},
        {"barred, maybe for this number", cms(10), {}, again, 0s, false, false},
        {"barred on a second SIM: it is the number", cms(10), {.strikes = 1}, give_up, 0s, false, false},
        {"no channel: once more", cms(34), {}, again, 0s, false, false},
        {"no channel again: the SIM rests, the message waits", cms(34), {.strikes = 1}, again, 30s, false, true},
        {"no centre: once more", cms(330), {}, again, 0s, false, false},
        {"no centre again: the SIM rests, the message waits", cms(330), {.strikes = 1}, again, 30s, false, true},
        {"not in the plan, twice", cms(69), {.strikes = 1}, give_up, 0s, false, false},
        {"filter or credit", cms(21), {}, again, 30s, true},
        {"modem cannot: another one", cme(4), {}, again, 30s, false},
        {"SMSC has it already, after a resubmission", cms(197), {.resubmission = true}, Then::accepted},
        {"SMSC has it already, but we never sent it before", cms(197), {}, again, 30s},
        {"332: hold", cms(332), {.may_be_out = true}, unknown},
        {"timeout after Ctrl-Z: hold", of(at::FailureKind::timeout, at::Phase::after_ctrl_z), {.may_be_out = true}, unknown},
        {"bare ERROR: hold", of(at::FailureKind::plain_error, at::Phase::after_ctrl_z), {}, unknown},
        {"a restart: open whatever the verdict", cms(1), {.may_be_out = true}, unknown},
        {"timeout: resend",
         of(at::FailureKind::timeout, at::Phase::after_ctrl_z),
         {.on_unknown = OnUnknown::resend, .may_be_out = true},
         again,
         30s,
         true},
        {"timeout: resend, used up: it may still be out",
         of(at::FailureKind::timeout, at::Phase::after_ctrl_z),
         {.counted = 4, .on_unknown = OnUnknown::resend, .may_be_out = true},
         unknown},
        {"no prompt: nothing went out",
         of(at::FailureKind::no_prompt, at::Phase::before_ctrl_z),
         {.on_unknown = OnUnknown::resend},
         again,
         30s,
         false},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const NextTry next = next_try(row.verdict, row.tried, exact(), 0);
        CHECK(next.then == row.then);
        if (row.then == Then::again) CHECK(next.delay.count() == row.delay.count());
        CHECK(next.counts == row.counts);
        CHECK(next.pause_sim == row.pause_sim);
        CHECK(next.reason == row.verdict.word);
    }
}

TEST_CASE("next_try: jitter stays within its share and the cap holds") {
    config::Send send;  // jitter 0.2
    send.max_attempts = 100;
    std::chrono::milliseconds least{1h}, most{0};
    for (std::uint64_t i = 0; i < 1000; ++i) {
        const auto d = next_try(cms(42), {}, send, i * 0x9E3779B97F4A7C15u).delay;
        least = std::min(least, d);
        most = std::max(most, d);
    }
    CHECK(least >= 24s);
    CHECK(least < 25s);
    CHECK(most <= 36s);
    CHECK(most > 35s);
    for (const int n : {10, 50, 98}) CHECK(next_try(cms(42), {.counted = n, .strikes = n}, send, ~std::uint64_t{0}).delay <= 72min);
}

TEST_CASE("next_try: under hold nothing that may be out is tried again, whatever the error") {
    for (int code = 0; code < 1000; ++code) {
        CAPTURE(code);
        CHECK(next_try(cms(code), {.may_be_out = true}, exact(), 0).then == Then::unknown);
        for (const int counted : {0, 50}) CHECK(next_try(cms(code), {.counted = counted}, exact(), 0).delay >= 0s);
        if (!at::is_definite({at::FailureKind::cms, code, at::Phase::after_ctrl_z}))
            CHECK(next_try(cms(code), {}, exact(), 0).then == Then::unknown);
    }
}

TEST_CASE("SimStrikes: three numbers refused in a row blame the SIM") {
    const WallTime t{1'000'000'000ms};
    SimStrikes sim;
    CHECK_FALSE(sim.refused(cms(28), "+15550100101", MessageId{1}, t).pause);
    CHECK_FALSE(sim.refused(cms(28), "+15550100101", MessageId{2}, t + 1s).pause);  // the same number
    CHECK_FALSE(sim.refused(cms(41), "+15550100104", MessageId{9}, t + 1s).pause);  // the network's trouble
    CHECK_FALSE(sim.refused(cms(21), "+15550100102", MessageId{3}, t + 2s).pause);
    const auto out = sim.refused(cms(30), "+15550100103", MessageId{4}, t + 3s);
    CHECK(out.pause);
    CHECK(out.reason == "sim-refused");
    CHECK(out.reopen == std::vector{MessageId{1}, MessageId{2}, MessageId{4}});     // 3 was not given up
    CHECK_FALSE(sim.refused(cms(28), "+15550100105", MessageId{5}, t + 4s).pause);  // it begins anew

    SimStrikes accepted;
    for (int i = 0; i < 10; ++i) {
        CHECK_FALSE(accepted.refused(cms(1), "+1555010010" + std::to_string(i), MessageId{i}, t + 1s * i).pause);
        if (i % 2 == 1) accepted.accepted();
    }
    SimStrikes open;  // CMS 500 after Ctrl-Z, five numbers in a row: what is queued must not all end as unknown
    for (int i = 0; i < 4; ++i) CHECK_FALSE(open.refused(cms(500), "+1555010010" + std::to_string(i), MessageId{i}, t + 1s * i).pause);
    CHECK_FALSE(open.refused(cms(332), "+15550100107", MessageId{7}, t + 4s).pause);  // the network's, not the SIM's
    CHECK_FALSE(open.refused(cms(500), "+15550100103", MessageId{8}, t + 5s).pause);  // the same number
    const auto paused = open.refused(cms(500), "+15550100109", MessageId{9}, t + 6s);
    CHECK(paused.pause);
    CHECK(paused.reopen.empty());  // they may have gone out: nothing is sent again
    SimStrikes between;
    for (int i = 0; i < 10; ++i) {
        CHECK_FALSE(between.refused(cms(500), "+1555010010" + std::to_string(i), MessageId{i}, t + 1s * i).pause);
        if (i % 4 == 3) between.accepted();
    }

    // after a rest one message shows whether it helped; each rest is longer, up to a day, until something is accepted
    WallTime later = t + 20min;
    for (const auto want : {60min, 240min, 960min, 1440min, 1440min}) {
        const auto again = open.refused(cms(500), "+15550100109", MessageId{10}, later);
        CHECK(again.pause);
        CHECK(again.rest == want);
        later += 48h;
    }
    CHECK_FALSE(open.refused(cms(1), "+15550100109", MessageId{11}, later).pause);  // that number is dead
    open.accepted();
    CHECK_FALSE(open.refused(cms(500), "+15550100109", MessageId{12}, later).pause);

    SimStrikes slow;
    for (int i = 0; i < 9; ++i) CHECK_FALSE(slow.refused(cms(1), "+1555010010" + std::to_string(i), MessageId{i}, t + 6min * i).pause);
}
