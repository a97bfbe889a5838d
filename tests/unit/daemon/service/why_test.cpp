// `conductorctl why ID`: for each situation the true cause and the next step, through the function that serves /explain.
#include "daemon/service/why.hpp"

#include "daemon/dispatch/reasons.hpp"
#include "daemon/dispatch/submission.hpp"
#include "daemon/service/steps.hpp"
#include "tests/unit/daemon/service/box.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace conductor::service::test;
using nlohmann::json;

namespace {

/// A box and what its memory knows.
struct Asked : Box {
    BoxView view{.modems = {{.index = 0, .up = true}, {.index = 1, .up = true}}};
    MessageId id;

    json explained() {
        return run([&](Tx& tx) { return service::explain(tx, env, *store::find(tx, id), view, now); });
    }
    NewMessage marketing(std::string text = "Sale!") {
        NewMessage m;
        m.to = phone;
        m.text = std::move(text);
        m.message_class = MessageClass::marketing;
        m.consent = true;
        return m;
    }
    /// One to the same number that went out and was accepted.
    void earlier(std::chrono::milliseconds ago, std::string text) {
        now -= ago;
        add(marketing(std::move(text)));
        auto sent = submit(0);
        for (int n = 0; n < 20 && !sent; ++n) {
            now += 1h;
            sent = submit(0);
        }
        REQUIRE(sent.has_value());
        settle(0, accepted(sent->token, 200));
        now += ago;
    }
    void refuse_with(int cms) {
        const auto sent = must_submit(0);
        settle(0, refused(sent.token, cms));
    }
    /// Messages 1, 2 and 3, of which the first failed and the others were looked at; the last is asked about.
    void set_of_three() {
        for (const char* text : {"One.", "Two.", "Three."}) {
            auto m = marketing(text);
            m.set = "s";
            id = add(m);
        }
        refuse_with(1);
        CHECK_FALSE(submit(0).has_value());
    }
    void cancel(MessageId which) {
        run([&](Tx& tx) {
            auto row = *store::find(tx, which);
            dispatch::abandon(row, MessageStatus::cancelled, "cancelled");
            row.ready = false;
            save(tx, env, row, now);
        });
        CHECK_FALSE(submit(0).has_value());
    }
    void retry(MessageId which) {
        run([&](Tx& tx) { reopen(tx, env, {which}, now); });
    }
    void only_modem(std::string reason) { view.modems = {{.index = 0, .up = false, .reason = std::move(reason)}}; }
};

struct Situation {
    const char* name;
    void (*make)(Asked&);
    const char* word;  ///< reason of the message
    const char* next;  ///< a piece of the sentence: what happens next, or who must act
    bool blocked = true;
};

const WallTime evening = *parse_rfc3339("2026-11-25T05:00:00Z");  // 21:00 in Los Angeles

const Situation situations[] = {
    {"due later",
     [](Asked& b) {
         auto m = b.marketing();
         m.due_at = b.now + 2h;
         b.id = b.add(m);
     },
     "not-due", "It goes out by itself then."},
    {"quiet hours",
     [](Asked& b) {
         b.env.config.send.window = {9 * 60, 20 * 60};
         b.now = evening;
         b.id = b.add(b.marketing());
     },
     "quiet-hours", "until 2026-11-25 09:00 PST"},
    {"no sending on that day",
     [](Asked& b) {
         b.env.config.send.days = 0b0000001;  // Mondays
         b.id = b.add(b.marketing());
     },
     "quiet-hours", "until 2026-11-30 00:00 PST"},
    {"a holiday",
     [](Asked& b) {
         b.env.config.send.holidays = {{0, 11, 24}};
         b.id = b.add(b.marketing());
     },
     "quiet-hours", "until 2026-11-25 00:00 PST"},
    {"the rule of a place",
     [](Asked& b) {
         config::Rule rule{.state = "WA"};
         rule.window = config::Window{12 * 60, 13 * 60};
         b.env.config.rules.push_back(rule);
         auto m = b.marketing();
         m.state = "WA";
         b.id = b.add(m);
     },
     "quiet-hours", "until 2026-11-24 12:00 PST"},
    {"the gap after the last one",
     [](Asked& b) {
         b.env.config.send.per_recipient_day = b.env.config.send.per_recipient_week = 0;
         b.earlier(2min, "First.");
         b.id = b.add(b.marketing());
     },
     "per-recipient-gap", "It goes out by itself at 2026-11-24 10:03 PST."},
    {"the cap of a day",
     [](Asked& b) {
         b.earlier(1h, "First.");
         b.id = b.add(b.marketing());
     },
     "per-recipient-cap", "as a day or a week allows"},
    {"the cap of a week",
     [](Asked& b) {
         b.env.config.send.per_recipient_week = 1;
         b.earlier(30h, "First.");
         b.id = b.add(b.marketing());
     },
     "per-recipient-cap", "as a day or a week allows"},
    {"the limits of the SIM, a minute",
     [](Asked& b) {
         for (auto& modem : b.view.modems) modem.next_slot = b.now + 40s;
         b.id = b.add();
     },
     "sim-limit", "It goes out by itself at 2026-11-24 10:00 PST."},
    {"the limits of the SIM, a day: the sooner of two",
     [](Asked& b) {
         b.view.modems[0].next_slot = b.now + 20h;
         b.view.modems[1].next_slot = b.now + 9h;
         b.id = b.add();
     },
     "sim-limit", "It goes out by itself at 2026-11-24 19:00 PST."},
    {"no modem is there",
     [](Asked& b) {
         b.only_modem("no-port");
         b.id = b.add();
     },
     "no-port", "Plug it in"},
    {"the modem is mute",
     [](Asked& b) {
         b.only_modem("mute");
         b.id = b.add();
     },
     "mute", "It is reset by itself"},
    {"the modem searches",
     [](Asked& b) {
         b.only_modem("unregistered");
         b.id = b.add();
     },
     "unregistered", "check antenna"},
    {"the SIM wants its PIN",
     [](Asked& b) {
         b.only_modem("pin-needed");
         b.id = b.add();
     },
     "pin-needed", "pin_file"},
    {"the SIM was changed",
     [](Asked& b) {
         b.only_modem("sim-swapped");
         b.id = b.add();
     },
     "sim-swapped", "accept-sim"},
    {"the modem's storage is full",
     [](Asked& b) {
         b.only_modem("storage-full");
         b.id = b.add();
     },
     "storage-full", "read and cleared by itself"},
    {"the modem is paused",
     [](Asked& b) {
         b.view.modems = {{.index = 0, .paused = true, .up = true}};
         b.id = b.add();
     },
     "modem-paused", "conductorctl queue resume --modem"},
    {"the modem that was chosen is not for its class",
     [](Asked& b) {
         b.env.config.modems[0].classes = {MessageClass::marketing};
         NewMessage m;
         m.to = phone;
         m.text = "Hello";
         m.message_class = MessageClass::transactional;
         m.modem_index = 0;
         b.id = b.Box::add(m);
     },
     "modem-not-for-class", "Choose another"},
    {"the modem is disabled",
     [](Asked& b) {
         b.view.modems = {{.index = 0, .enabled = false, .up = true}};
         b.id = b.add();
     },
     "modem-disabled", "conductorctl modem enable"},
    {"the SIM rests",
     [](Asked& b) {
         b.view.modems = {{.index = 0, .up = true, .resting = "sim-refused"}};
         b.id = b.add();
     },
     "sim-paused", "when the rest is over"},
    {"everything is paused",
     [](Asked& b) {
         b.view.paused = true;
         b.id = b.add();
     },
     "paused", "conductorctl queue resume"},
    {"its campaign is paused",
     [](Asked& b) {
         auto m = b.marketing();
         m.campaign_name = "winback-nov";
         b.id = b.add(m);
         b.run([](Tx& tx) { store::set_setting(tx, paused_campaign("winback-nov"), "uid:0"); });
     },
     "campaign-paused", "--campaign"},
    {"held: restored",
     [](Asked& b) {
         b.id = b.add();
         b.run([&](Tx& tx) {
             auto row = *store::find(tx, b.id);
             row.reason = "restored";
             row.ready = false;
             row.not_before = b.now + 1000h;
             store::update(tx, row);
         });
     },
     "restored", "conductorctl db release"},
    {"opted out after it was taken",
     [](Asked& b) {
         b.id = b.add();
         b.take_in(inbound("STOP")[0]);
     },
     "opted-out", "START from the recipient", false},
    {"the consent was withdrawn",
     [](Asked& b) {
         b.id = b.add(b.marketing());
         b.run([&](Tx& tx) { store::set_consent(tx, {.phone = phone, .active = false, .source = "web", .actor = "web", .at = b.now}); });
     },
     "no-consent", "Record it (consent)"},
    {"a back-off",
     [](Asked& b) {
         b.id = b.add();
         b.refuse_with(38);
     },
     "cms-38", "The next try is at 2026-11-24 10:"},
    {"another modem is wanted: the SIM of one refused",
     [](Asked& b) {
         b.id = b.add();
         b.view.modems = {{.index = 0, .up = true, .resting = "cms-310"}, {.index = 1, .up = false, .reason = "unregistered"}};
         b.refuse_with(310);
         b.now = b.row(b.id).not_before;
     },
     "sim-paused", "It goes out by itself"},
    {"its route has no modem",
     [](Asked& b) {
         b.env.config.routes.push_back({.prefix = "+1555", .modems = {7}});
         b.id = b.add();
     },
     "route-has-no-modem", "Correct the route"},
    {"its class has no modem",
     [](Asked& b) {
         for (auto& modem : b.env.config.modems) modem.classes = {MessageClass::marketing};
         b.id = b.add();
     },
     "class-has-no-modem", "Add the class"},
    {"its time is over",
     [](Asked& b) {
         auto m = b.marketing();
         m.expire_after = 1min;
         b.id = b.add(m);
         b.now += 2min;
         CHECK_FALSE(b.submit(0).has_value());
     },
     "expired", "Send it anew", false},
    {"its time is over, not swept yet",
     [](Asked& b) {
         auto m = b.marketing();
         m.expire_after = 1min;
         b.id = b.add(m);
         b.now += 2min;
     },
     "expired", "Send it anew"},
    {"cancelled",
     [](Asked& b) {
         b.id = b.add();
         b.run([&](Tx& tx) {
             auto row = *store::find(tx, b.id);
             dispatch::abandon(row, MessageStatus::cancelled, "cancelled");
             save(tx, b.env, row, b.now);
         });
     },
     "cancelled", "Send it anew", false},
    {"the outcome is unknown",
     [](Asked& b) {
         b.id = b.add();
         const auto sent = b.must_submit(0);
         b.settle(0, Box::ambiguous(sent.token));
     },
     "timeout", "a delivery report decides", false},
    {"on a modem",
     [](Asked& b) {
         b.id = b.add();
         b.must_submit(1);
     },
     "on-modem", "It is on modem 1 now", false},
    {"the report is awaited", [](Asked& b) { b.id = b.sent(41); }, "awaiting-report", "Nothing is to be done", false},
    {"no report came",
     [](Asked& b) {
         b.id = b.sent(41);
         b.now += 500h;
         b.run([&](Tx& tx) { close_overdue_reports(tx, b.env, b.now, 10); });
     },
     "no-report", "whether it arrived is not known", false},
    {"delivered",
     [](Asked& b) {
         b.id = b.sent(41);
         b.take_in(report(41, st_delivered));
     },
     "delivered", "Nothing is to be done", false},
    {"undelivered: TP-ST 41",
     [](Asked& b) {
         b.id = b.sent(41);
         b.take_in(report(41, st_failed));
     },
     "not-delivered", "Check the number", false},
    {"undelivered: TP-ST 46",
     [](Asked& b) {
         b.id = b.sent(41);
         b.take_in(report(41, st_expired));
     },
     "validity-expired", "phone off or out of reach", false},
    {"the number does not exist",
     [](Asked& b) {
         b.id = b.add();
         b.refuse_with(1);
     },
     "cms-1", "Check the number", false},
    {"an incomplete set",
     [](Asked& b) {
         NewMessage m;
         m.to = phone;
         m.text = Box::text_of(2);
         m.message_class = MessageClass::transactional;
         m.expire_after = 10min;
         b.id = b.add(m);
         const auto first = b.must_submit(0);
         b.settle(0, Box::accepted(first.token, 1));
         b.now += 11min;
         CHECK_FALSE(b.submit(0).has_value());
     },
     "incomplete", "send it anew if it matters", false},
    {"the budget of the day is spent",
     [](Asked& b) {
         b.env.config.send.daily_budget = 1;
         auto first = b.marketing("First.");
         first.to = other_phone;
         b.add(first);
         const auto sent = b.must_submit(0);
         b.settle(0, Box::accepted(sent.token, 1));
         b.id = b.add(b.marketing());
     },
     "daily-budget", "It goes out by itself at 2026-11-25 00:00 PST."},
    {"the clock is not sure",
     [](Asked& b) {
         b.id = b.add();
         b.view.clock_sure = false;
     },
     "clock-unsure", "once RTC, network time or a modem tells it"},
    {"the disk is full",
     [](Asked& b) {
         b.id = b.add();
         b.view.trouble = "disk-full";
     },
     "disk-full", "A technician must free space"},
    {"others go first",
     [](Asked& b) {
         for (int n = 0; n < 3; ++n) b.add("Code " + std::to_string(n), other_phone);
         b.id = b.add(b.marketing());
     },
     "behind", "3 ready messages go before it"},
    {"its turn", [](Asked& b) { b.id = b.add(); }, "waiting-for-modem", "Nothing is to be done", false},
    {"the one before it in its set is not out",
     [](Asked& b) {
         auto m = b.marketing("One.");
         m.set = "s";
         b.add(m);
         m.text = "Two.";
         b.id = b.add(m);
     },
     "set-order", "It follows that one by itself"},
    {"an earlier one of its set failed: the third names the first", [](Asked& b) { b.set_of_three(); }, "set-stopped",
     "retry message 1 (conductorctl queue retry 1); else cancel it."},
    {"the one between was cancelled: the third goes after the first",
     [](Asked& b) {
         b.set_of_three();
         b.cancel(MessageId{2});
     },
     "set-stopped", "retry message 1 (conductorctl queue retry 1); else cancel it."},
    {"an earlier one of its set is to be tried again",
     [](Asked& b) {
         b.set_of_three();
         b.retry(MessageId{1});
         b.must_submit(0);
         CHECK_FALSE(b.submit(1).has_value());
     },
     "set-order",
     "Message 1 goes before it in its set and is not out yet. It follows that one by itself within seconds; conductorctl why 1"},
    {"the one before it in its set went out a moment ago",
     [](Asked& b) {
         b.set_of_three();
         b.cancel(MessageId{2});
         b.retry(MessageId{1});
         b.settle(0, Box::accepted(b.must_submit(0).token, 7));
     },
     "set-order", "went out a moment ago. It follows by itself within seconds."},
    {"an earlier one of its set failed, and is Supabase's",
     [](Asked& b) {
         b.set_of_three();
         b.run([](Tx& tx) { tx.run("UPDATE messages SET scheduled_id = 4211 WHERE id = 1"); });
     },
     "set-stopped", "row 4211 of scheduled_messages: schedule that one again in Supabase"},
    {"another to this number is on a modem",
     [](Asked& b) {
         b.add("First.");
         b.must_submit(0);
         b.id = b.add("Second.");
         CHECK_FALSE(b.submit(1).has_value());
     },
     "recipient-order", "It follows by itself"},
    {"late, and late ones are dropped",
     [](Asked& b) {
         b.env.config.send.window = {9 * 60, 20 * 60};
         b.env.config.send.late = config::Late::expire;
         b.id = b.add(b.marketing());
         b.now = evening;
         CHECK_FALSE(b.submit(0).has_value());
     },
     "late", "Send it anew", false},
    {"its lease is over",
     [](Asked& b) {
         b.id = b.add();
         b.run([&](Tx& tx) {
             auto row = *store::find(tx, b.id);
             row.scheduled_message_id = 7;
             row.lease_until = b.now;
             store::update(tx, row);
             tx.run("UPDATE messages SET scheduled_id = 7 WHERE id = ?", b.id);
         });
         CHECK_FALSE(b.submit(0).has_value());
     },
     "lease-lost", "Another claim", false},
};

}  // namespace

TEST_CASE("why: the true cause and the next step") {
    CHECK(std::size(situations) >= 30);
    std::set<std::string> words;
    for (const Situation& situation : situations) {
        CAPTURE(std::string{situation.name});
        Asked box;
        situation.make(box);
        const json answer = box.explained();
        const std::string next = answer["next"];
        CAPTURE(next);
        if (situation.blocked) {
            CHECK(answer["blocked_by"] == std::string{situation.word});
            CHECK(answer["message"]["reason"] == situation.word);
        } else {
            CHECK(answer["blocked_by"].is_null());
        }
        const auto why = box.run([&](Tx& tx) { return service::why(tx, box.env, *store::find(tx, box.id), box.view, box.now); });
        CHECK(why.word == situation.word);
        const auto stored = box.row(box.id).reason.value_or("");  // what lists show
        if (stored.starts_with("set-")) CHECK(stored == situation.word);
        CHECK(next.find(situation.next) != std::string::npos);
        CHECK(dispatch::known_reason(why.word));
        words.insert(why.word);
    }
    CHECK(words.size() >= 30);
}

TEST_CASE("why: in a list too, what is due names what keeps it now, not what kept it yesterday") {
    Asked box;
    box.env.config.send.window = {9 * 60, 20 * 60};
    box.now += 24h;
    box.now -= 8h;  // 02:00 in Los Angeles
    const auto id = box.add(box.marketing());
    CHECK_FALSE(box.submit(0).has_value());
    const auto shown = [&] {
        auto row = box.row(id);
        name_reason(box.env, row, box.view, box.now);
        return *row.reason;
    };
    CHECK(shown() == "quiet-hours");
    box.now += 9h;
    box.run([&](Tx& tx) { store::promote(tx, box.now, 10); });
    CHECK(shown() == "waiting-for-modem");
    box.view.paused = true;
    CHECK(shown() == "paused");
}

TEST_CASE("why: in a list too, a disk that takes nothing is named by all that waits") {
    using store::StoreErrc;
    struct Row {
        StoreErrc error;
        const char* word;
        const char* next;
    };
    const Row rows[] = {{StoreErrc::full, "disk-full", "must free space"},
                        {StoreErrc::read_only, "disk-read-only", "must look at the disk"},
                        {StoreErrc::io, "disk-failed", "must look at the disk"},
                        {StoreErrc::corrupt, "database-damaged", "conductorctl db restore"},
                        {StoreErrc::missing, "database-missing", "must put it back"},
                        {StoreErrc::newer_schema, "database-newer", "install that version"}};
    Asked box;
    const auto ended = box.sent(1, "Hello.", other_phone), ready = box.add();
    auto later = box.marketing();
    later.due_at = box.now + 2h;
    const auto shown = [&](MessageId id) {
        auto row = box.row(id);
        name_reason(box.env, row, box.view, box.now);
        return present(box.env, std::move(row));
    };
    const auto parked = box.add(later);
    CHECK(shown(ready).reason == "waiting-for-modem");
    CHECK(shown(parked).reason == "not-due");
    for (const Row& row : rows) {
        CAPTURE(row.word);
        box.view.trouble = trouble_word(fail(row.error, "commit"));
        for (const auto id : {ready, parked}) {
            box.id = id;
            CHECK(shown(id).reason == row.word);
            CHECK(shown(id).reason_text->find(row.next) != std::string::npos);
            CHECK(box.explained()["blocked_by"] == row.word);
        }
        CHECK_FALSE(shown(ended).reason.has_value());
    }
    box.view.trouble.clear();
    box.view.clock_sure = false;
    CHECK(shown(parked).reason == "clock-unsure");
}

TEST_CASE("why: the priority's parts, and the attempts") {
    Asked box;
    auto m = box.marketing();
    m.customer = {.last_visit = box.now - 24h * 14, .cycle_days = 14, .visits = 20};
    box.id = box.add(m);
    auto answer = box.explained();
    double sum = 0;
    std::set<std::string> names;
    for (const auto& part : answer["priority"]["parts"]) {
        sum += part["points"].get<double>();
        names.insert(part["name"]);
        CHECK(part["sentence"].get<std::string>().size() > 10);
    }
    CHECK(names == std::set<std::string>{"urgency", "value", "campaign", "response", "fatigue"});
    CHECK(sum == doctest::Approx(answer["priority"]["total"].get<double>()).epsilon(0.01));
    CHECK(answer["attempts"].empty());
    box.refuse_with(38);
    box.now = box.row(box.id).not_before;
    const auto sent = box.must_submit(1);
    box.settle(1, Box::accepted(sent.token, 77));
    answer = box.explained();
    REQUIRE(answer["attempts"].size() == 2);
    CHECK(answer["attempts"][0]["outcome"] == "refused");
    CHECK(answer["attempts"][0]["reason"] == "cms-38");
    CHECK(answer["attempts"][1]["tp_mr"] == 77);
    CHECK(answer["attempts"][1]["modem_index"] == 1);
}
