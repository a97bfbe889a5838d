// The daemon against a real PostgreSQL with the migrations and the real PostgREST: what a producer schedules goes out once, and the project
// learns all of it, also when the service is away for a while.
#include "tests/integration/supabase/world.hpp"

using namespace conductor::supabase_test;

TEST_CASE("integration: 200 scheduled rows go out once, through an outage of PostgREST") {
    const auto outage = std::chrono::seconds{number_from_environment("CONDUCTOR_OUTAGE", 10)};
    const TempDir folder;
    const Stack stack{folder.path()};
    const Sim sim{folder / "sim", {.modems = 2, .latency = 100ms, .report_delay = 300ms}};
    Gateway gateway{folder / "box", options_for(sim, stack, folder.path())};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    schedule(stack, 0, 200);
    REQUIRE_MESSAGE(eventually(60s, [&] { return sim.submissions().size() >= 40; }), states(stack) << gateway.log_end());

    stack.postgrest("stop");
    const auto back = std::chrono::steady_clock::now() + outage;
    sim.inject(0, invented_number(3), "Yes");  // while nobody listens
    sim.inject(1, invented_number(5), std::string(200, 'z'));
    eventually(outage, [&] { return std::chrono::steady_clock::now() >= back; });
    stack.postgrest("start");

    const auto done = [&] { return stack.count("scheduled_messages where status = 'delivered' and delivery_status = 'delivered'") == 200; };
    CHECK_MESSAGE(eventually(180s, done), states(stack) << gateway.log_end());
    CHECK(stack.count("scheduled_messages where actual_send_time is null or message_id is null") == 0);
    CHECK(stack.count("scheduled_messages s join messages m on m.id = s.message_id where m.scheduled_message_id = s.id "
                      "and m.phone_number = s.phone_number and m.content = s.message_content and m.direction = 'outbound'") == 200);
    CHECK(eventually(30s, [&] { return stack.count("messages where direction = 'inbound'") == 2; }));
    CHECK(stack.sql("select phone_number, content from messages where direction = 'inbound' order by 1") ==
          invented_number(3) + "|Yes\n" + invented_number(5) + "|" + std::string(200, 'z'));

    const auto copies = sim.copies();
    CHECK(copies.size() == 200);
    for (const auto& [number, taken] : copies) {
        CAPTURE(number);
        CHECK(taken == 1);
    }
    CHECK(stack.count("messages where direction = 'outbound'") == 200);
    CHECK(gateway.stop() == 0);
}

TEST_CASE("integration: killed while it syncs, the box tells everything once") {
    const TempDir folder;
    const Stack stack{folder.path()};
    const Sim sim{folder / "sim", {.modems = 2, .latency = 50ms, .report_delay = 100ms}};
    sim.request({{"do", "set"}, {"cnma_guard", "1s"}});
    Gateway gateway{folder / "box", options_for(sim, stack, folder.path())};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    schedule(stack, 0, 60);
    for (std::size_t n = 1; n <= 4; ++n) {
        REQUIRE_MESSAGE(eventually(60s, [&] { return sim.submissions().size() >= n * 10; }), states(stack) << gateway.log_end());
        gateway.kill_now();
        REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    }
    // A report that came while nobody had the port open comes again: what the network took is delivered, what it did not is unknown.
    const auto done = [&] {
        return stack.count("scheduled_messages where status in ('delivered', 'unknown')") == 60 &&
               stack.count("scheduled_messages where status = 'delivered'") == static_cast<int>(sim.copies().size());
    };
    CHECK_MESSAGE(eventually(120s, done), states(stack) << gateway.log_end());
    CHECK(stack.count("scheduled_messages where status = 'unknown' and reason is null") == 0);
    CHECK(stack.count("messages where direction = 'outbound'") == 60);
    const auto copies = sim.copies();
    for (const auto& [number, taken] : copies) {
        CAPTURE(number);
        CHECK(taken == 1);
    }
    CHECK(static_cast<int>(copies.size()) == stack.count("scheduled_messages where status = 'delivered'"));
}

TEST_CASE("integration: a number that answers STOP is suppressed for the whole project") {
    const TempDir folder;
    const Stack stack{folder.path()};
    const Sim sim{folder / "sim", {}};
    Gateway gateway{folder / "box", options_for(sim, stack, folder.path())};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    sim.inject(0, invented_number(9), "STOP");
    const std::string active = "opt_outs where phone_number = '" + invented_number(9) + "' and active";
    CHECK_MESSAGE(eventually(30s, [&] { return stack.count(active) == 1; }), gateway.log_end());
    schedule(stack, 8, 2);
    const auto done = [&] { return stack.count("scheduled_messages where status in ('delivered', 'suppressed')") == 2; };
    CHECK_MESSAGE(eventually(30s, done), states(stack) << gateway.log_end());
    CHECK(stack.sql("select status from scheduled_messages order by phone_number") == "delivered\nsuppressed");
    const auto copies = sim.copies();
    CHECK(copies.at(invented_number(8)) == 1);
    const auto sent = sim.submissions();
    CHECK(std::ranges::none_of(sent, [](const json& s) { return s["text"] == "row 9"; }));
}

TEST_CASE("integration: what a box began is sent by no other, and without a go nothing of a shared pool is") {
    const TempDir folder;
    const Stack stack{folder.path(), 2};
    const Sim slow{folder / "sim-1", {.latency = 20s}}, sim{folder / "sim-2", {.latency = 50ms}};
    Gateway first{folder / "box-1", options_for(slow, stack, folder.path(), "supabase-user-1")};
    REQUIRE_MESSAGE(first.start(), first.log_end());
    schedule(stack, 0, 3);
    CHECK_MESSAGE(eventually(10s, [&] { return stack.count("scheduled_messages where status = 'sending'") == 2; }),
                  states(stack) << first.log_end());  // one in flight, one ahead
    CHECK(stack.count("scheduled_messages where status = 'claimed'") == 1);
    first.kill_now();
    stack.sql(
        "begin; set local conductor.actor = 'test'; "
        "update scheduled_messages set lease_expires_at = now() - interval '1 s'; commit");

    Gateway second{folder / "box-2", options_for(sim, stack, folder.path(), "supabase-user-2")};
    REQUIRE_MESSAGE(second.start(), second.log_end());
    CHECK_MESSAGE(eventually(10s, [&] { return stack.count("scheduled_messages where status = 'delivered'") == 1; }),
                  states(stack) << second.log_end());
    CHECK(stack.count("scheduled_messages where status = 'unknown' and reason = 'lease-over'") == 2);
    CHECK(sim.copies().size() == 1);

    // claimed ahead of their time; then one is cancelled behind the back of the mailbox, and nobody can be asked
    stack.sql(
        "insert into scheduled_messages (phone_number, message_content, scheduled_send_time, status) select n, 'later', "
        "now() + interval '4 s', 'scheduled' from unnest(array['" +
        invented_number(3) + "', '" + invented_number(4) + "']) n");
    const auto due = std::chrono::steady_clock::now() + 4s;
    CHECK(eventually(3s, [&] { return stack.count("scheduled_messages where status = 'claimed'") == 2; }));
    stack.sql("begin; update scheduled_messages set status = 'cancelled' where phone_number = '" + invented_number(3) +
              "'; delete from gateway_commands; commit");
    stack.postgrest("stop");
    eventually(8s, [&] { return std::chrono::steady_clock::now() >= due + 2s; });
    CHECK(sim.copies().size() == 1);
    stack.postgrest("start");  // it is asked again when the pause after the failures is over, 16 s at most
    CHECK_MESSAGE(eventually(45s, [&] { return stack.count("scheduled_messages where status = 'delivered'") == 2; }),
                  states(stack) << second.log_end());
    CHECK(stack.count("scheduled_messages where status = 'cancelled'") == 1);
    CHECK(sim.copies().count(invented_number(3)) == 0);
    CHECK(sim.copies().count(invented_number(4)) == 1);
}

TEST_CASE("integration: a row rings, and leaves long before the next poll; a cancel rings too") {
    const auto rows = static_cast<int>(number_from_environment("CONDUCTOR_RINGS", 10));
    const TempDir folder;
    const Stack stack{folder.path()};
    const Sim sim{folder / "sim", {.latency = 20ms, .report_delay = 50ms}};
    Gateway gateway{folder / "box", options_for(sim, stack, folder.path(), "supabase-user", "realtime = true\npoll = \"60s\"\n")};
    REQUIRE_MESSAGE(gateway.start(), gateway.log_end());
    const auto realtime = [&] { return gateway.get("/v1/sync").json()["realtime"]; };
    REQUIRE_MESSAGE(eventually(10s, [&] { return realtime()["joined"] == true; }), realtime().dump() << gateway.log_end());
    for (int n = 0; n < rows; ++n) {
        schedule(stack, n, 1);
        CHECK_MESSAGE(eventually(5s, [&] { return sim.copies().count(invented_number(n)) == 1; }), states(stack) << gateway.log_end());
    }
    // what became of them is told without a poll as well
    CHECK_MESSAGE(eventually(5s, [&] { return stack.count("scheduled_messages where status = 'delivered'") == rows; }), states(stack));

    // claimed ahead of its time, and cancelled after that
    const std::string later = invented_number(rows);
    stack.sql("insert into scheduled_messages (phone_number, message_content, scheduled_send_time, status) values ('" + later +
              "', 'later', now() + interval '1 minute', 'scheduled')");
    const auto of_later = [&](const std::string& status) {
        return stack.count("scheduled_messages where phone_number = '" + later + "' and status = '" + status + "'") == 1;
    };
    CHECK_MESSAGE(eventually(5s, [&] { return of_later("claimed"); }), states(stack) << gateway.log_end());
    stack.sql("update scheduled_messages set status = 'cancelled' where phone_number = '" + later + "'");
    CHECK_MESSAGE(eventually(5s, [&] { return gateway.tally()["cancelled"] == 1; }), states(stack) << gateway.log_end());
    CHECK(realtime()["connections"] == 1);
    CHECK(gateway.stop() == 0);
}
