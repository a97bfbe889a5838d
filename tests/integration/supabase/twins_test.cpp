// A box that is there twice, and a box that forgot: two copies of one image, and a database put back from a backup. Nothing goes out twice.
#include "tests/integration/supabase/world.hpp"

using namespace conductor::supabase_test;

namespace {

/// How often the networks of all these simulators took each number's message.
std::map<std::string, int> copies_of(std::initializer_list<const Sim*> sims) {
    std::map<std::string, int> all;
    for (const Sim* sim : sims)
        for (const auto& [number, taken] : sim->copies()) all[number] += taken;
    return all;
}

/// Rows that are due in `ahead`.
void schedule_ahead(const Stack& stack, int first, int count, std::chrono::seconds ahead) {
    std::string numbers;
    for (int n = first; n < first + count; ++n) numbers += std::string{n > first ? "," : ""} + "'" + invented_number(n) + "'";
    stack.sql(
        "insert into scheduled_messages (phone_number, message_content, scheduled_send_time, status) select n, 'later', now() + "
        "interval '" +
        std::to_string(ahead.count()) + " s', 'scheduled' from unnest(array[" + numbers + "]) n");
}

/// The database as the daemon left it, with what witnesses its history where `whole` says so (a disk's image), else alone (a backup).
void copy_database(Gateway& from, const fs::path& to, bool whole) {
    fs::create_directories(to);
    for (const char* tail : {"", "-wal", ".witness", ".optouts"})
        if (fs::exists(from.database().string() + tail) && (whole || std::string_view{tail} != ".witness"))
            fs::copy_file(from.database().string() + tail, to / ("conductor.db" + std::string{tail}), fs::copy_options::overwrite_existing);
}

std::string instance_of(Gateway& box) {
    return box.get("/v1/status").json()["gateway"]["instance"];
}

bool is_fenced(Gateway& box) {
    const json sync = box.get("/v1/sync").json();
    return sync.is_object() && sync.value("fenced", false);
}

}  // namespace

TEST_CASE("integration: of two boxes flashed from one image the newer goes on, and nothing goes out twice") {
    const TempDir folder;
    const Stack stack{folder.path()};
    const Sim sim_a{folder / "sim-a", {.modems = 2}}, sim_b{folder / "sim-b", {.modems = 2}};
    {
        Gateway first{folder / "first", options_for(sim_a, stack, folder.path())};
        REQUIRE_MESSAGE(first.start(), first.log_end());
        schedule(stack, 0, 2);
        REQUIRE_MESSAGE(eventually(20s, [&] { return stack.count("scheduled_messages where status = 'delivered'") == 2; }),
                        states(stack) << first.log_end());
        schedule_ahead(stack, 10, 6, 5s);
        REQUIRE(eventually(5s, [&] { return stack.count("scheduled_messages where status = 'claimed' and pinned") == 6; }));
        CHECK(first.stop() == 0);
        copy_database(first, folder / "a", true);
        copy_database(first, folder / "b", true);
    }
    Gateway a{folder / "a", options_for(sim_a, stack, folder.path())}, b{folder / "b", options_for(sim_b, stack, folder.path())};
    REQUIRE_MESSAGE(a.start(), a.log_end());
    REQUIRE(eventually(5s, [&] { return a.get("/v1/sync").json().value("connected", false); }));
    REQUIRE_MESSAGE(b.start(), b.log_end());
    CHECK_MESSAGE(eventually(5s, [&] { return is_fenced(a); }), a.log_end());
    CHECK_FALSE(is_fenced(b));
    CHECK(instance_of(a) != instance_of(b));
    // both write under their own names what arrives
    sim_a.inject(0, invented_number(50), "To the one");
    sim_b.inject(0, invented_number(51), "To the other");
    CHECK_MESSAGE(eventually(10s, [&] { return stack.count("messages where direction = 'inbound'") == 2; }), a.log_end() << b.log_end());
    // the older one is cut off at the moment when its rows are due
    stack.postgrest("stop");
    const auto due = std::chrono::steady_clock::now() + 4s;
    eventually(10s, [&] { return std::chrono::steady_clock::now() >= due; });
    stack.postgrest("start");
    schedule(stack, 20, 4);
    CHECK_MESSAGE(eventually(20s, [&] { return stack.count("scheduled_messages where status = 'delivered'") == 6; }),
                  states(stack) << a.log_end() << b.log_end());
    for (const auto& [number, taken] : copies_of({&sim_a, &sim_b})) {
        CAPTURE(number);
        CHECK(taken == 1);
    }
    CHECK(sim_a.copies().size() == 2);  // before it was there twice
    CHECK(a.stop() == 0);
    REQUIRE_MESSAGE(a.start(), a.log_end());  // and still after a restart
    CHECK_MESSAGE(eventually(5s, [&] { return is_fenced(a); }), a.log_end());
    // a person says that the first box is no more: what it had claimed and is not due yet goes out after all; what was due stays unknown
    CHECK(b.ctl({"db", "release"}).status == 0);
    CHECK_MESSAGE(
        eventually(20s, [&] { return stack.count("scheduled_messages where status = 'unknown' and reason = 'begun-before'") == 6; }),
        states(stack) << b.log_end());
    CHECK(copies_of({&sim_a, &sim_b}).size() == 6);
}

TEST_CASE("integration: a database of before is put back, and what it does not remember is not sent again") {
    const TempDir folder;
    const Stack stack{folder.path(), 2};
    const Sim sim{folder / "sim", {.modems = 2, .latency = 400ms}};
    sim.request({{"do", "set"}, {"cnma_guard", "1s"}});  // a report that nobody acknowledges does not hold up those behind it
    stack.sql("update gateways set enabled = false where id = 'box-2'");
    Gateway box{folder / "box", options_for(sim, stack, folder.path(), "supabase-user-1")};
    REQUIRE_MESSAGE(box.start(), box.log_end());
    schedule_ahead(stack, 0, 3, 3s);  // pinned: alone in the pool
    schedule_ahead(stack, 5, 2, 9s);
    REQUIRE(eventually(5s, [&] { return stack.count("scheduled_messages where status = 'claimed' and pinned") == 5; }));
    stack.sql("update gateways set enabled = true where id = 'box-2'");
    schedule_ahead(stack, 10, 3, 2s);  // and with the go alone
    REQUIRE(eventually(5s, [&] { return stack.count("scheduled_messages where status = 'claimed' and not pinned") == 3; }));
    box.kill_now();
    copy_database(box, folder / "kept", true);
    REQUIRE_MESSAGE(box.start(), box.log_end());
    // begun, and the network is gone before the results are told: the pinned ones follow
    const auto begun = [&] { return stack.count("scheduled_messages where not pinned and status = 'sending'") > 0; };
    REQUIRE_MESSAGE(eventually(15s, begun), states(stack) << box.log_end());
    stack.postgrest("stop");
    REQUIRE_MESSAGE(eventually(15s, [&] { return sim.submissions().size() >= 5; }), box.log_end());
    const auto before = sim.copies().size();
    box.kill_now();
    for (const char* tail : {"", "-wal", "-shm"}) fs::remove(box.database().string() + tail);
    for (const auto& file : fs::directory_iterator{folder / "kept"})
        if (file.path().extension() != ".witness") fs::copy_file(file.path(), box.folder() / file.path().filename());
    stack.postgrest("start");
    REQUIRE_MESSAGE(box.start(), box.log_end());
    REQUIRE(eventually(10s, [&] { return box.get("/v1/sync").json().value("connected", false); }));
    CHECK(box.ctl({"db", "release"}).status == 0);
    const auto settled = [&] { return stack.count("scheduled_messages where status not in ('delivered', 'unknown')") == 0; };
    CHECK_MESSAGE(eventually(20s, settled), states(stack) << box.log_end());
    for (const auto& [number, taken] : sim.copies()) {
        CAPTURE(number);
        CHECK(taken == 1);
    }
    CHECK(stack.count("scheduled_messages where status = 'unknown' and reason = 'begun-before'") >= static_cast<int>(before));
    CHECK(stack.count("scheduled_messages where status = 'delivered'") >= 2);  // those that were not due yet
    CHECK(box.stop() == 0);
}
