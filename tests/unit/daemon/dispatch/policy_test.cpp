#include "daemon/dispatch/policy.hpp"

#include <doctest/doctest.h>

#include "daemon/dispatch/places.hpp"
#include "daemon/dispatch/reasons.hpp"

using namespace conductor;
using namespace conductor::dispatch;
using namespace std::chrono_literals;

namespace {

WallTime utc(const std::string& rfc3339) {
    const auto t = parse_rfc3339(rfc3339);
    REQUIRE(t.has_value());
    return *t;
}

/// Los Angeles, 09:00-20:00, Monday to Saturday, one a day, three a week.
config::Config configured() {
    config::Config c;
    c.gateway.id = "box";
    return c;
}

/// A marketing message that nothing but time can hold: 2026-11-20 is a Friday.
Facts fresh(const std::string& number = "+15550100123") {
    return {.phone_number = number, .due = utc("2026-11-01T00:00:00Z"), .consented = true};
}

}  // namespace

TEST_CASE("policy: by class") {
    const WallTime night = utc("2026-11-20T10:00:00Z"), noon = utc("2026-11-20T20:00:00Z");  // 02:00 and 12:00 in Los Angeles
    struct Row {
        std::string name;
        MessageClass message_class;
        void (*change)(Facts&);
        WallTime now;
        Ruling want;
        std::string reason;
        MessageStatus as = MessageStatus::suppressed;
    };
    constexpr auto marketing = MessageClass::marketing, transactional = MessageClass::transactional, reply = MessageClass::reply;
    const Row rows[] = {
        {"marketing at noon", marketing, [](Facts&) {}, noon, Ruling::send, ""},
        {"marketing at night", marketing, [](Facts&) {}, night, Ruling::wait, "quiet-hours"},
        {"transactional at night", transactional, [](Facts&) {}, night, Ruling::send, ""},
        {"reply at night", reply, [](Facts&) {}, night, Ruling::send, ""},
        {"no consent", marketing, [](Facts& f) { f.consented = false; }, noon, Ruling::refuse, "no-consent"},
        {"transactional needs none", transactional, [](Facts& f) { f.consented = false; }, noon, Ruling::send, ""},
        {"opted out", marketing, [](Facts& f) { f.opted_out = true; }, noon, Ruling::refuse, "opted-out"},
        {"opted out, transactional", transactional, [](Facts& f) { f.opted_out = true; }, noon, Ruling::refuse, "opted-out"},
        {"opted out, transactional is no answer, whatever came later", transactional,
         [](Facts& f) {
             f.opted_out = true, f.opted_out_at = utc("2026-11-18T00:00:00Z"), f.answers_inbound_at = utc("2026-11-19T00:00:00Z");
         },
         noon, Ruling::refuse, "opted-out"},
        {"opted out, reply to nothing", reply, [](Facts& f) { f.opted_out = true; }, noon, Ruling::refuse, "opted-out"},
        {"opted out, reply to an earlier inbound", reply,
         [](Facts& f) {
             f.opted_out = true, f.opted_out_at = utc("2026-11-19T00:00:00Z"), f.answers_inbound_at = utc("2026-11-18T00:00:00Z");
         },
         noon, Ruling::refuse, "opted-out"},
        {"opted out, a reply to the STOP itself", reply,
         [](Facts& f) { f.opted_out = true, f.opted_out_at = f.answers_inbound_at = utc("2026-11-19T00:00:00Z"); }, noon, Ruling::refuse,
         "opted-out"},
        {"opted out, the gateway's confirmation", reply, [](Facts& f) { f.opted_out = f.own_answer = true; }, noon, Ruling::send, ""},
        {"opted out, reply to a later inbound", reply,
         [](Facts& f) {
             f.opted_out = true, f.opted_out_at = utc("2026-11-18T00:00:00Z"), f.answers_inbound_at = utc("2026-11-19T00:00:00Z");
         },
         noon, Ruling::send, ""},
        {"expired", reply, [](Facts& f) { f.expires = utc("2026-11-20T20:00:00Z"); }, noon, Ruling::refuse, "expired",
         MessageStatus::expired},
        {"about to expire", reply, [](Facts& f) { f.expires = utc("2026-11-20T20:00:00.001Z"); }, noon, Ruling::send, ""},
        {"expiry beats opt-out", marketing, [](Facts& f) { f.opted_out = true, f.expires = utc("2026-11-20T20:00:00Z"); }, noon,
         Ruling::refuse, "expired", MessageStatus::expired},
        {"opt-out beats pause", transactional, [](Facts& f) { f.campaign_paused = f.opted_out = true; }, noon, Ruling::refuse, "opted-out"},
        {"not due", transactional, [](Facts& f) { f.due = utc("2026-11-20T21:00:00Z"); }, noon, Ruling::wait, "not-due"},
        {"not due, marketing", marketing, [](Facts& f) { f.due = utc("2026-11-20T21:00:00Z"); }, noon, Ruling::wait, "not-due"},
        {"due at night", marketing, [](Facts& f) { f.due = utc("2026-11-21T10:00:00Z"); }, noon, Ruling::wait, "quiet-hours"},
        {"other country", marketing, [](Facts& f) { f.phone_number = "+447700900123"; }, noon, Ruling::refuse, "country-not-allowed"},
        {"other country, reply", reply, [](Facts& f) { f.phone_number = "+447700900123"; }, noon, Ruling::send, ""},
        {"premium", transactional, [](Facts& f) { f.phone_number = "+19005550100"; }, noon, Ruling::refuse, "premium-number"},
        {"gap", marketing, [](Facts& f) { f.last_sent = utc("2026-11-20T19:56:00Z"); }, noon, Ruling::wait, "per-recipient-gap"},
        {"gap is over", marketing, [](Facts& f) { f.last_sent = utc("2026-11-20T19:55:00Z"); }, noon, Ruling::send, ""},
        {"gap, transactional", transactional, [](Facts& f) { f.last_sent = utc("2026-11-20T19:56:00Z"); }, noon, Ruling::send, ""},
        {"day's cap", marketing, [](Facts& f) { f.contacts = {utc("2026-11-20T18:00:00Z")}; }, noon, Ruling::wait, "per-recipient-cap"},
        {"week's cap", marketing,
         [](Facts& f) {
             f.contacts = {utc("2026-11-18T18:00:00Z"), utc("2026-11-17T18:00:00Z"), utc("2026-11-13T20:00:01Z")};
         },
         noon, Ruling::wait, "per-recipient-cap"},
        {"a week is over", marketing,
         [](Facts& f) {
             f.contacts = {utc("2026-11-18T18:00:00Z"), utc("2026-11-17T18:00:00Z"), utc("2026-11-13T20:00:00Z")};
         },
         noon, Ruling::send, ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Facts facts = fresh();
        facts.message_class = row.message_class;
        row.change(facts);
        const Decision d = decide(configured(), facts, row.now);
        CHECK(d.ruling == row.want);
        CHECK(d.reason == row.reason);
        if (d.ruling == Ruling::refuse) CHECK(d.refused_as == row.as);
        if (d.ruling == Ruling::wait) CHECK(d.not_before > row.now);
        if (!d.reason.empty()) CHECK(known_reason(d.reason));
    }
}

TEST_CASE("policy: windows at the recipient's place") {
    struct Row {
        std::string name;
        std::string number, state, zone;  ///< of the address
        std::string window;
        std::string now, want;  ///< when it goes out
    };
    const Row rows[] = {
        {"unknown place: the box's zone", "+15550100123", "", "", "09:00-20:00", "2026-11-20T10:00:00Z", "2026-11-20T17:00:00.000Z"},
        {"open", "+15550100123", "", "", "09:00-20:00", "2026-11-20T17:00:00Z", "2026-11-20T17:00:00.000Z"},
        {"the last moment", "+15550100123", "", "", "09:00-20:00", "2026-11-21T03:59:59.999Z", "2026-11-21T03:59:59.999Z"},
        {"closes on the dot: next is Saturday", "+15550100123", "", "", "09:00-20:00", "2026-11-21T04:00:00Z", "2026-11-21T17:00:00.000Z"},
        {"Saturday night to Monday", "+15550100123", "", "", "09:00-20:00", "2026-11-22T04:00:00Z", "2026-11-23T17:00:00.000Z"},
        {"number zone: New York", "+12125550100", "", "", "09:00-20:00", "2026-11-20T10:00:00Z", "2026-11-20T14:00:00.000Z"},
        {"New York in the evening: closed there", "+12125550100", "", "", "09:00-20:00", "2026-11-20T01:30:00Z",
         "2026-11-20T14:00:00.000Z"},
        {"moved from New York to Los Angeles: overlap, morning", "+12125550100", "CA", "", "09:00-20:00", "2026-11-20T14:00:00Z",
         "2026-11-20T17:00:00.000Z"},
        {"overlap, evening", "+12125550100", "CA", "", "09:00-20:00", "2026-11-20T01:00:00Z", "2026-11-20T17:00:00.000Z"},
        {"the address's exact zone instead of its state's two", "+15550100123", "TN", "America/Chicago", "09:00-20:00",
         "2026-11-20T14:30:00Z", "2026-11-20T15:00:00.000Z"},
        {"a state with two zones: both", "+15550100123", "TN", "", "09:00-20:00", "2026-11-20T14:30:00Z", "2026-11-20T15:00:00.000Z"},
        {"a zone that does not exist: the state's", "+15550100123", "NY", "Mars/Olympus", "09:00-20:00", "2026-11-20T10:00:00Z",
         "2026-11-20T14:00:00.000Z"},
        {"always", "+15550100123", "", "", "00:00-24:00", "2026-11-20T10:00:00Z", "2026-11-20T10:00:00.000Z"},
        {"always, but federal law in New York", "+12125550100", "", "", "00:00-24:00", "2026-11-20T10:00:00Z", "2026-11-20T13:00:00.000Z"},
        {"always, but Connecticut's law", "+12035550100", "", "", "00:00-24:00", "2026-11-20T10:00:00Z", "2026-11-20T14:00:00.000Z"},
        {"Florida closes at 20:00", "+13055550100", "", "", "09:00-21:00", "2026-11-20T01:30:00Z", "2026-11-20T14:00:00.000Z"},
        {"panhandle: Central counts too", "+18505550100", "", "", "09:00-20:00", "2026-11-20T14:30:00Z", "2026-11-20T15:00:00.000Z"},
        {"law of the address binds as well", "+12125550100", "KY", "America/New_York", "09:00-20:00", "2026-11-20T14:30:00Z",
         "2026-11-20T15:00:00.000Z"},
        {"Rhode Island on Saturday", "+14015550100", "", "", "09:00-20:00", "2026-11-21T14:30:00Z", "2026-11-21T15:00:00.000Z"},
        {"Alabama on Thanksgiving", "+12055550100", "", "", "09:00-20:00", "2026-11-26T16:00:00Z", "2026-11-27T15:00:00.000Z"},
        {"across midnight, before it", "+15550100123", "", "", "21:00-02:00", "2026-11-21T06:00:00Z", "2026-11-21T06:00:00.000Z"},
        {"across midnight, after it: still Saturday's", "+15550100123", "", "", "21:00-02:00", "2026-11-22T09:59:00Z",
         "2026-11-22T09:59:00.000Z"},
        {"across midnight, over", "+15550100123", "", "", "21:00-02:00", "2026-11-22T10:00:00Z", "2026-11-24T05:00:00.000Z"},
        // DST: 2026-03-08 02:00 -> 03:00, 2026-11-01 02:00 -> 01:00 (Sundays; all days below)
        {"gap: opens after it", "+15550100123", "", "", "all 02:30-20:00", "2026-03-08T09:00:00Z", "2026-03-08T10:00:00.000Z"},
        {"gap: a window inside it does not open that day", "+15550100123", "", "", "all 02:15-02:45", "2026-03-08T09:00:00Z",
         "2026-03-09T09:15:00.000Z"},
        {"gap: the day after it opens an hour earlier in UTC", "+15550100123", "", "", "all 09:00-20:00", "2026-03-08T09:00:00Z",
         "2026-03-08T16:00:00.000Z"},
        {"fold: the first pass", "+15550100123", "", "", "all 01:30-01:45", "2026-11-01T07:00:00Z", "2026-11-01T08:30:00.000Z"},
        {"fold: between the passes", "+15550100123", "", "", "all 01:30-01:45", "2026-11-01T08:50:00Z", "2026-11-01T09:30:00.000Z"},
        {"fold: a window that ended opens again", "+15550100123", "", "", "all 00:00-01:30", "2026-11-01T08:45:00Z",
         "2026-11-01T09:00:00.000Z"},
        {"fold: no second opening at 09:00", "+15550100123", "", "", "all 09:00-20:00", "2026-11-01T09:00:00Z", "2026-11-01T17:00:00.000Z"},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        config::Config c = configured();
        const bool all = row.window.starts_with("all ");
        if (all) c.send.days = 0b1111111;
        c.send.window = *config::parse_window(std::string_view{row.window}.substr(all ? 4 : 0));
        Facts facts = fresh(row.number);
        facts.due = utc("2026-01-01T00:00:00Z");
        if (!row.state.empty()) facts.state = row.state;
        if (!row.zone.empty()) facts.time_zone = row.zone;
        const Decision d = decide(c, facts, utc(row.now));
        REQUIRE(d.ruling != Ruling::refuse);
        CHECK(to_rfc3339(d.ruling == Ruling::send ? utc(row.now) : d.not_before) == row.want);
        if (d.ruling == Ruling::wait) {
            CHECK(d.reason == "quiet-hours");
            CHECK(decide(c, facts, d.not_before).ruling == Ruling::send);
        }
    }
}

TEST_CASE("policy: holidays, own rules, and a place where nothing is ever allowed") {
    config::Config c = configured();
    c.send.holidays = {{0, 12, 25}, {2026, 11, 20}};
    CHECK(to_rfc3339(decide(c, fresh(), utc("2026-11-20T18:00:00Z")).not_before) == "2026-11-21T17:00:00.000Z");
    CHECK(to_rfc3339(decide(c, fresh(), utc("2026-12-25T18:00:00Z")).not_before) == "2026-12-26T17:00:00.000Z");
    CHECK(decide(c, fresh(), utc("2027-11-20T18:00:00Z")).ruling == Ruling::send);
    c = configured();
    c.rules = {{.state = "CA", .window = config::Window{600, 660}, .days = {}, .holidays = {}, .per_day = {}}};
    CHECK(to_rfc3339(decide(c, fresh("+14155550100"), utc("2026-11-20T17:30:00Z")).not_before) == "2026-11-20T18:00:00.000Z");
    CHECK(decide(c, fresh(), utc("2026-11-20T17:30:00Z")).ruling == Ruling::send);
    c.send.window = {22 * 60, 23 * 60};  // Connecticut: 09:00-20:00
    const Decision never = decide(c, fresh("+12035550100"), utc("2026-11-20T17:30:00Z"));
    CHECK(never.ruling == Ruling::refuse);
    CHECK(never.refused_as == MessageStatus::suppressed);
    CHECK(never.reason == "no-window");
}

TEST_CASE("policy: until when caps and budget bind") {
    config::Config c = configured();
    Facts facts = fresh();
    const WallTime now = utc("2026-11-19T20:00:00Z");  // Thursday noon
    facts.contacts = {utc("2026-11-19T19:00:00Z")};
    CHECK(to_rfc3339(decide(c, facts, now).not_before) == "2026-11-20T19:00:00.000Z");
    facts.contacts = {utc("2026-11-19T05:00:00Z")};  // 24 h later it is night: the morning after
    CHECK(to_rfc3339(decide(c, facts, now).not_before) == "2026-11-20T17:00:00.000Z");
    facts.contacts = {utc("2026-11-19T23:00:00Z")};  // looked at in the night: the cap binds for longer than the window
    Decision capped = decide(c, facts, utc("2026-11-20T06:00:00Z"));
    CHECK(to_rfc3339(capped.not_before) == "2026-11-20T23:00:00.000Z");
    CHECK(capped.reason == "per-recipient-cap");
    facts.contacts = {utc("2026-11-19T05:00:00Z")};  // the cap ends in the night, and the window binds
    capped = decide(c, facts, utc("2026-11-20T04:30:00Z"));
    CHECK(to_rfc3339(capped.not_before) == "2026-11-20T17:00:00.000Z");
    CHECK(capped.reason == "quiet-hours");
    c.send.per_recipient_day = 3;
    c.send.per_recipient_week = 0;
    CHECK(decide(c, facts, now).ruling == Ruling::send);
    facts.contacts = {utc("2026-11-19T19:00:00Z"), utc("2026-11-19T05:00:00Z"), utc("2026-11-18T22:00:00Z")};
    CHECK(to_rfc3339(decide(c, facts, now).not_before) == "2026-11-19T22:00:00.000Z");  // when the third newest is a day old
    c.send.per_recipient_day = 0;
    CHECK(decide(c, facts, now).ruling == Ruling::send);
    facts.phone_number = "+13055550100";  // Florida: three a day, whatever the configuration allows
    CHECK(decide(c, facts, now).reason == "per-recipient-cap");
    facts.contacts.resize(1);
    c.send.per_recipient_day = 1;  // the strictest binds: the configuration's one ...
    CHECK(decide(c, facts, now).reason == "per-recipient-cap");
    facts.contacts = {utc("2026-11-19T19:00:00Z"), utc("2026-11-19T05:00:00Z")};
    c.send.per_recipient_day = 5;  // ... or one of the rules
    CHECK(decide(c, facts, now).ruling == Ruling::send);
    c.rules = {{.state = "FL", .window = {}, .days = {}, .holidays = {}, .per_day = 2}};
    CHECK(decide(c, facts, now).reason == "per-recipient-cap");
    c.rules[0].state = "GA";
    CHECK(decide(c, facts, now).ruling == Ruling::send);
    facts.state = "GA";
    CHECK(decide(c, facts, now).reason == "per-recipient-cap");
    c.rules.clear();
    c.send.per_recipient_day = 0;
    facts = fresh();
    c.send.daily_budget = 75;
    facts.budget_used_today = 74;
    CHECK(decide(c, facts, now).ruling == Ruling::send);
    facts.budget_used_today = 75;
    const Decision d = decide(c, facts, now);
    CHECK(d.reason == "daily-budget");
    CHECK(to_rfc3339(d.not_before) == "2026-11-20T17:00:00.000Z");  // midnight is outside the window
    CHECK(d.detail == "2026-11-20 09:00 PST");
    facts.due = utc("2026-11-20T19:00:00Z");  // of another day's budget
    CHECK(decide(c, facts, now).reason == "not-due");
    CHECK(decide(c, facts, now).not_before == facts.due);
    facts = fresh();
    facts.budget_used_today = 75;
    facts.expires = utc("2026-11-20T01:00:00Z");
    CHECK(decide(c, facts, now).not_before == *facts.expires);  // never past the expiry
}

TEST_CASE("policy: expiry begins when the window opens") {
    const config::Config c = configured();
    Facts facts = fresh();
    facts.due = utc("2026-11-22T05:00:00Z");  // Saturday 21:00: opens Monday 09:00
    CHECK(to_rfc3339(expiry_of(c, facts, 24h)) == "2026-11-24T17:00:00.000Z");
    facts.due = utc("2026-11-20T20:00:00Z");
    CHECK(to_rfc3339(expiry_of(c, facts, 1h)) == "2026-11-20T21:00:00.000Z");
    facts.message_class = MessageClass::transactional;
    facts.due = utc("2026-11-22T05:00:00Z");
    CHECK(to_rfc3339(expiry_of(c, facts, 24h)) == "2026-11-23T05:00:00.000Z");
}

TEST_CASE("policy: late messages") {
    config::Config c = configured();
    Facts facts = fresh();
    facts.due = utc("2026-11-19T20:00:00Z");  // Thursday noon; the window closes at 04:00Z
    const WallTime next_day = utc("2026-11-20T18:00:00Z");
    CHECK(decide(c, facts, next_day).ruling == Ruling::send);
    c.send.late = config::Late::expire;
    CHECK(decide(c, facts, utc("2026-11-20T03:59:00Z")).ruling == Ruling::send);
    for (const WallTime now : {utc("2026-11-20T04:00:00Z"), next_day}) {
        const Decision d = decide(c, facts, now);
        CHECK(d.ruling == Ruling::refuse);
        CHECK(d.refused_as == MessageStatus::expired);
        CHECK(d.reason == "late");
    }
    facts.due = utc("2026-11-20T10:00:00Z");  // due at night: the first window after it counts
    CHECK(decide(c, facts, utc("2026-11-20T11:00:00Z")).reason == "quiet-hours");
    CHECK(decide(c, facts, next_day).ruling == Ruling::send);
    c.send.window = {0, 1440};
    c.send.days = 0b1111111;
    facts.due = utc("2026-11-01T00:00:00Z");
    CHECK(decide(c, facts, next_day).ruling == Ruling::send);  // a window that never closes
}

TEST_CASE("policy: countries") {
    config::Config c = configured();
    struct Row {
        std::string number;
        std::vector<std::string> countries;
        std::string want;
    };
    const Row rows[] = {{"+15550100123", {"US"}, ""},
                        {"+14165550100", {"US"}, "country-not-allowed"},
                        {"+14165550100", {"US", "CA"}, ""},
                        {"+447700900123", {"GB"}, ""},
                        {"+447700900123", {"JE"}, ""},
                        {"+79123456789", {"KZ"}, "country-not-allowed"},
                        {"+77012345678", {"KZ"}, ""},
                        {"+525512345678", {}, ""},
                        {"12345", {"US"}, ""},
                        {"+19005550100", {}, "premium-number"},
                        {"+870123456789", {"US"}, "country-not-allowed"},
                        {"not a number", {}, "bad-number"}};
    for (const Row& row : rows) {
        CAPTURE(row.number);
        c.send.countries = row.countries;
        CHECK(refused_number(c, row.number) == row.want);
    }
}
