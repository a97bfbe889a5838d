// The smaller tables: what is written is read back.
#include "daemon/store/tables.hpp"

#include "tests/unit/daemon/store/fixture.hpp"

using namespace conductor;
using namespace conductor::store;
using namespace conductor::store::test;
using namespace std::chrono_literals;

TEST_CASE("attempts: the open ones, of messages that are being sent and in slots of modems") {
    Fixture f;
    const auto send = [&](int modem, std::optional<std::int64_t> previous = {}) {
        auto row = f.row();
        const auto id = f.add(row);
        const auto attempt =
            open_attempt(*f.tx, {.message = id, .seq = 1, .modem_index = modem, .started_at = f.now, .previous = previous});
        row = *find(*f.tx, id);
        row.status = MessageStatus::sending;
        row.modem_index = modem;
        update(*f.tx, row);
        set_last_attempt(*f.tx, id, attempt);
        return std::pair{id, attempt};
    };
    const auto open = [&] {
        std::vector<std::int64_t> found;
        for (const auto& attempt : open_attempts(*f.tx)) found.push_back(attempt.id);
        return found;
    };
    const auto [first, tried] = send(1);
    const auto [second, other] = send(2);
    CHECK(open() == Ids{tried, other});
    CHECK(count_queue(*f.tx, 10).sending == 2);

    SUBCASE("a modem has one at a time") {
        f.tx->alone([&] { open_attempt(*f.tx, {.message = second, .modem_index = 1, .started_at = f.now}); });
        CHECK(open() == Ids{tried, other});
        CHECK(open_attempt(*f.tx, {.message = second, .modem_index = 3, .started_at = f.now}) > other);
    }
    SUBCASE("but for one in its storage, and that one is found also behind the last") {
        set_slot(*f.tx, tried, "SM", 4);
        const auto next = open_attempt(*f.tx, {.message = first, .seq = 2, .modem_index = 1, .started_at = f.now, .previous = tried});
        set_last_attempt(*f.tx, first, next);
        CHECK(open() == Ids{tried, other, next});
        clear_slot(*f.tx, tried);
        CHECK(open() == Ids{tried, other, next});
        auto row = *find(*f.tx, first);
        row.status = MessageStatus::unknown;
        update(*f.tx, row);
        set_slot(*f.tx, tried, "SM", 4);
        CHECK(open() == Ids{tried, other});
        close_attempt(*f.tx, tried, f.now, 0, 7, "");
        CHECK(open() == Ids{other});
    }
    SUBCASE("a report that is waited for is overdue when nothing runs any more") {
        auto row = *find(*f.tx, first);
        row.report_until = f.now + 1h;
        update(*f.tx, row);
        CHECK(overdue_reports(*f.tx, f.now + 2h, 10).empty());
        close_attempt(*f.tx, tried, f.now, 0, 7, "");
        row.status = MessageStatus::sent;
        update(*f.tx, row);
        CHECK(open() == Ids{other});
        CHECK(overdue_reports(*f.tx, f.now + 59min, 10).empty());
        CHECK(ids(overdue_reports(*f.tx, f.now + 1h, 10)) == Ids{first.value});
        CHECK(count_queue(*f.tx, 10).sending == 1);
    }
}

TEST_CASE("attempts: a chain without an index") {
    Fixture f;
    std::optional<std::int64_t> last;
    for (int n = 0; n < 4; ++n) {
        open_attempt(*f.tx, {.message = MessageId{2}, .modem_index = 10 + n, .started_at = f.now});  // of another message, between them
        last = open_attempt(
            *f.tx,
            {.message = MessageId{1}, .seq = n + 1, .modem_index = 1 + n, .iccid = "8949", .started_at = f.now + n * 1s, .previous = last});
    }
    CHECK(attempt_chain(*f.tx, {}).empty());
    const auto chain = attempt_chain(*f.tx, last);
    REQUIRE(chain.size() == 4);
    for (int n = 0; n < 4; ++n) {
        const auto& a = chain[static_cast<std::size_t>(n)];
        CHECK(a.seq == n + 1);
        CHECK(a.message == MessageId{1});
        CHECK(a.iccid == "8949");
        CHECK_FALSE(a.outcome.has_value());
    }
    close_attempt(*f.tx, *last, f.now + 1min, 1, {}, "cms-38");
    const auto closed = find_attempt(*f.tx, *last);
    CHECK(closed->outcome == 1);
    CHECK(closed->ended_at == f.now + 1min);
    CHECK(closed->reason == "cms-38");
    CHECK_FALSE(closed->tp_mr.has_value());
    close_attempt(*f.tx, chain[0].id, f.now, 0, 41, "");
    CHECK(find_attempt(*f.tx, chain[0].id)->tp_mr == 41);
    CHECK_FALSE(find_attempt(*f.tx, chain[0].id)->reason.has_value());
    const auto since = attempts_since(*f.tx, f.now + 2s, 10);
    REQUIRE_FALSE(since.empty());
    CHECK(since[0].id == *last);
    CHECK(attempts_since(*f.tx, f.now, 3).size() == 3);
}

TEST_CASE("incoming: once by fingerprint; parts by sender and reference") {
    Fixture f;
    const auto add = [&](std::int64_t fingerprint, std::string sender, std::optional<int> ref, int seq, int kind = 0) {
        IncomingRow row{.fingerprint = fingerprint,
                        .kind = kind,
                        .modem_index = 1,
                        .iccid = "8949",
                        .hex = "00",
                        .received_at = f.now,
                        .sender = std::move(sender),
                        .ref = ref,
                        .total = 3,
                        .seq = seq};
        const bool fresh = insert_incoming(*f.tx, row);
        return fresh ? row.id : 0;
    };
    const auto one = add(-1, "+15550100123", 7, 1);
    CHECK(one > 0);
    CHECK(add(-1, "+15550100123", 7, 1) == 0);
    const auto three = add(2, "+15550100123", 7, 3);
    add(3, "+15550100124", 7, 1);
    add(4, "+15550100123", 8, 1);
    const auto report = add(5, "+15550100123", {}, 1, 1);
    const auto parts = open_parts(*f.tx, "+15550100123", 7);
    REQUIRE(parts.size() == 2);
    CHECK(parts[0].id == one);
    CHECK(parts[1].id == three);
    CHECK(parts[1].seq == 3);
    CHECK(parts[1].total == 3);
    CHECK(stale_parts(*f.tx, f.now, 10).empty());
    CHECK(stale_parts(*f.tx, f.now + 1ms, 10).size() == 4);
    const auto reports = unmatched_reports(*f.tx, "+15550100123", 5);
    REQUIRE(reports.size() == 1);
    CHECK(reports[0].id == report);
    finish_incoming(*f.tx, report, 1, MessageId{9});
    finish_incoming(*f.tx, one, 1, std::nullopt);
    CHECK(unmatched_reports(*f.tx, "+15550100123", 5).empty());
    CHECK(open_parts(*f.tx, "+15550100123", 7).size() == 1);
}

TEST_CASE("audit: rows are never changed or deleted") {
    Fixture f;
    audit(*f.tx, f.now, "uid:1000", "cancel", "17");
    set_opt_out(*f.tx, {.phone = "+15550100123", .active = true, .reason = "stop", .actor = "recipient", .at = f.now});
    set_opt_out(*f.tx, {.phone = "+15550100123", .active = false, .reason = "start", .actor = "recipient", .at = f.now + 1s});
    set_consent(*f.tx,
                {.phone = "+15550100123", .active = true, .source = "api", .shown = "Yes, please", .actor = "api", .at = f.now + 2s});
    const auto rows = [&] {
        std::vector<std::string> out;
        for (Rows q = f.tx->query("SELECT actor, action, target, detail FROM audit ORDER BY id"); q.next();)
            out.push_back(q.text(0) + " " + q.text(1) + " " + q.text(2) + " " + q.text(3));
        return out;
    };
    const std::vector<std::string> want = {"uid:1000 cancel 17 ", "recipient opt-out +15550100123 stop",
                                           "recipient opt-in +15550100123 start", "api consent +15550100123 api: Yes, please"};
    CHECK(rows() == want);
    for (const char* sql : {"UPDATE audit SET actor = 'nobody'", "DELETE FROM audit", "DELETE FROM audit WHERE id = 1"}) {
        Tx tx{*f.db};
        tx.run(sql);
        REQUIRE(tx.failed());
        CHECK(tx.error()->where.find("append-only") != std::string::npos);
    }
    CHECK(rows() == want);
}

TEST_CASE("opt-outs and consents: the newest word stands") {
    Fixture f;
    CHECK_FALSE(find_opt_out(*f.tx, "+15550100123").has_value());
    for (int n = 0; n < 3; ++n)
        set_opt_out(*f.tx,
                    {.phone = "+1555010010" + std::to_string(n), .active = true, .reason = "stop", .actor = "a", .at = f.now + n * 1s});
    set_opt_out(*f.tx, {.phone = "+15550100101", .active = false, .reason = "start", .actor = "b", .at = f.now + 1min});
    const auto back = find_opt_out(*f.tx, "+15550100101");
    REQUIRE(back.has_value());
    CHECK_FALSE(back->active);
    CHECK(back->actor == "b");
    const auto all = all_opt_outs(*f.tx);
    REQUIRE(all.size() == 2);
    CHECK(all[0].phone == "+15550100102");  // newest first
    CHECK(all[1].phone == "+15550100100");
    set_consent(*f.tx, {.phone = "+15550100100", .active = true, .source = "web", .shown = "v1", .actor = "a", .at = f.now});
    set_consent(*f.tx, {.phone = "+15550100100", .active = false, .source = "web", .shown = "", .actor = "b", .at = f.now});
    CHECK_FALSE(find_consent(*f.tx, "+15550100100")->active);
    CHECK_FALSE(find_consent(*f.tx, "+15550100102").has_value());
}

TEST_CASE("outbox: in order, by stream, by size, without dead letters") {
    Fixture f;
    for (int n = 1; n <= 4; ++n)
        push_outbox(*f.tx, n == 3 ? Stream::inbound : Stream::report, "e" + std::to_string(n), std::string(100, 'x'));
    const auto events = [&](Stream stream, int limit, std::size_t bytes) {
        std::string out;
        for (const auto& row : peek_outbox(*f.tx, stream, limit, bytes)) out += row.event_id;
        return out;
    };
    CHECK(events(Stream::report, 10, 10'000) == "e1e2e4");
    CHECK(events(Stream::inbound, 10, 10'000) == "e3");
    CHECK(events(Stream::report, 2, 10'000) == "e1e2");
    CHECK(events(Stream::report, 10, 1) == "e1");  // one at least, however large
    CHECK(events(Stream::report, 10, 150) == "e1e2");
    CHECK(count_outbox(*f.tx).waiting == 4);
    bury_outbox(*f.tx, 1, "unknown job");
    CHECK(events(Stream::report, 10, 10'000) == "e2e4");
    CHECK(count_outbox(*f.tx).waiting == 3);
    CHECK(count_outbox(*f.tx).dead == 1);
    drop_outbox(*f.tx, 2);
    CHECK(events(Stream::report, 10, 10'000) == "e4");
    CHECK(count_outbox(*f.tx).waiting == 2);
}

TEST_CASE("parts of a SIM: as many as its limits ask for, whatever other SIMs sent") {
    using std::chrono::minutes;
    Fixture f;
    for (int n = 0; n < 300; ++n)
        f.tx->run("INSERT INTO attempts (message_id, seq, modem_index, iccid, started_at, outcome) VALUES (?, 1, 0, ?, ?, 0)", n,
                  n % 3 == 0 ? "8949001" : "8949002", f.now + minutes{n});
    const WallTime now = f.now + minutes{300};
    const auto parts_of_sim = [&](const char* sim, WallTime at, minutes reach, int most) {
        return parts_of_sims(*f.tx, at, reach, most).sims[sim];
    };
    CHECK(parts_of_sim("8949001", now, minutes{300}, 1000).size() == 100);
    CHECK((parts_of_sim("8949003", now, minutes{300}, 1000).empty() && parts_of_sim("8949001", now, minutes{300}, 0).empty()));
    CHECK(parts_of_sim("8949001", now, minutes{300}, 2) == std::vector<WallTime>{f.now + minutes{297}, f.now + minutes{294}});
    const auto lately = parts_of_sim("8949001", now, minutes{10}, 1000);
    CHECK(lately.size() == 3);  // by a clock that is hours ahead, as at a start before the network told the time, none is forgotten
    CHECK(parts_of_sim("8949001", now + minutes{290}, minutes{10}, 1000) == lately);
}

TEST_CASE("outbox: counted as far as it matters, and found by an index") {
    Fixture f;
    for (std::int64_t n = 0; n < OutboxCount::most + 5; ++n)
        push_outbox(*f.tx, n % 2 == 0 ? Stream::inbound : Stream::report, "e" + std::to_string(n), "{}");
    CHECK(count_outbox(*f.tx).waiting == OutboxCount::most);
    for (std::int64_t id = 1; id <= 10; ++id) bury_outbox(*f.tx, id, "unknown job");
    CHECK(count_outbox(*f.tx).waiting == OutboxCount::most - 5);
    CHECK(count_outbox(*f.tx).dead == 10);
    CHECK(forget_dead_outbox(*f.tx, 4, 5) == 5);
    CHECK(count_outbox(*f.tx).dead == 5);
    CHECK(forget_dead_outbox(*f.tx, 4, 5) == 1);
    CHECK(forget_dead_outbox(*f.tx, 4, 5) == 0);
    Rows plan = f.tx->query("EXPLAIN QUERY PLAN SELECT id FROM outbox WHERE stream = 1 AND dead IS NULL ORDER BY id LIMIT 100");
    REQUIRE(plan.next());
    CHECK(plan.text(3).find("outbox_open") != std::string::npos);
}

TEST_CASE("settings, PINs, SIMs") {
    Fixture f;
    CHECK_FALSE(get_setting(*f.tx, "a").has_value());
    set_setting(*f.tx, "a", "1");
    set_setting(*f.tx, "a", "");
    CHECK(get_setting(*f.tx, "a") == "");
    CHECK_FALSE(pin_try(*f.tx, "8949", "hash").has_value());
    set_pin_try(*f.tx, "8949", "hash", f.now);
    CHECK(any_pin_try(*f.tx, "8949"));
    CHECK_FALSE(any_pin_try(*f.tx, "8950"));
    CHECK_FALSE(pin_try(*f.tx, "8949", "other").has_value());
    CHECK(pin_try(*f.tx, "8949", "hash") == PinOutcome::unknown);
    set_pin_outcome(*f.tx, "8949", "hash", PinOutcome::answered);
    set_pin_outcome(*f.tx, "8950", "hash", PinOutcome::answered);
    CHECK(pin_try(*f.tx, "8949", "hash") == PinOutcome::answered);
    CHECK_FALSE(pin_try(*f.tx, "8950", "hash").has_value());
    set_pin_try(*f.tx, "8949", "hash", f.now + 1s);  // another try: its answer is not known
    CHECK(pin_try(*f.tx, "8949", "hash") == PinOutcome::unknown);
    forget_pin_try(*f.tx, "8949", "hash");
    CHECK_FALSE(any_pin_try(*f.tx, "8949"));
    CHECK_FALSE(sim_of(*f.tx, 0).has_value());
    set_sim(*f.tx, 0, "8949", f.now);
    set_sim(*f.tx, 0, "8950", f.now);
    set_sim(*f.tx, 1, "8949", f.now);
    CHECK(sim_of(*f.tx, 0) == "8950");
    CHECK(sim_of(*f.tx, 1) == "8949");
}

TEST_CASE("schema: what no row may be") {
    for (const char* sql :
         {"INSERT INTO messages (direction, class, phone, content, status, due_at, not_before, created_at) VALUES (2,0,'','',0,0,0,0)",
          "INSERT INTO messages (direction, class, phone, content, status, due_at, not_before, created_at) VALUES (0,3,'','',0,0,0,0)",
          "INSERT INTO messages (direction, class, phone, content, status, due_at, not_before, created_at) VALUES (0,0,'','',10,0,0,0)",
          "INSERT INTO messages (direction, class, phone, content, status, due_at, not_before, created_at) VALUES (0,0,NULL,'',0,0,0,0)"}) {
        CAPTURE(std::string{sql});
        Fixture f;
        Tx tx{*f.db};
        tx.run(sql);
        REQUIRE(tx.failed());
        CHECK(tx.error()->is(StoreErrc::constraint));
    }
}
