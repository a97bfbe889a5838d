// Older, moved and cloned databases; a disk or a file in trouble.
#include "daemon/store/witness.hpp"

#include <doctest/doctest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>
#include <ostream>

#include "daemon/store/db_file.hpp"
#include "daemon/store/messages.hpp"
#include "daemon/store/store.hpp"
#include "daemon/store/tables.hpp"

using namespace conductor;
using namespace conductor::store;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

const WallTime now = *parse_rfc3339("2026-11-24T18:00:00Z");

struct Folder {
    fs::path path;
    Folder() {
        static std::atomic<int> next{0};
        path = fs::temp_directory_path() / ("conductor-witness-" + std::to_string(::getpid()) + "-" + std::to_string(++next));
        fs::create_directories(path);
    }
    ~Folder() { fs::remove_all(path); }
    std::string db() const { return (path / "conductor.db").string(); }
};

/// One process that uses the database: its store runs on the test's thread.
struct Process {
    asio::io_context home;
    std::unique_ptr<Store> store;
    explicit Process(const Folder& folder, std::string machine = "m1") {
        auto opened = Store::open({.path = folder.db(), .witness = witness_path(folder.db()), .machine = std::move(machine)},
                                  home.get_executor(), home.get_executor());
        if (!opened) FAIL(opened.error().text());
        store = std::move(*opened);
    }
    template <class Job>
    Result<void> write(Job job) {
        std::optional<Result<void>> result;
        asio::co_spawn(
            home,
            [](Store& s, Job j, std::optional<Result<void>>& out) -> aio::awaitable<void> { out = co_await s.run(j); }(
                                                                      *store, std::move(job), result),
            asio::detached);
        return wait(result);
    }
    Result<void> tick() {
        std::optional<Result<void>> result;
        asio::co_spawn(
            home, [](Store& s, std::optional<Result<void>>& out) -> aio::awaitable<void> { out = co_await s.tick(); }(*store, result),
            asio::detached);
        return wait(result);
    }
    Result<void> begin_anew() {
        std::optional<Result<void>> result;
        asio::co_spawn(
            home, [](Store& s, std::optional<Result<void>>& out) -> aio::awaitable<void> { out = co_await s.begin_anew(); }(*store, result),
            asio::detached);
        return wait(result);
    }
    Result<void> audit_something() {
        return write([](Tx& tx) { audit(tx, now, "test", "did", "something"); });
    }

private:
    Result<void> wait(const std::optional<Result<void>>& result) {
        home.restart();
        while (!result && home.run_one() > 0) {}
        home.poll();
        REQUIRE(result.has_value());
        return *result;
    }
};

void copy(const std::string& from, const std::string& to) {
    for (const char* tail : {"", "-wal"}) {
        fs::remove(to + tail);
        if (fs::exists(from + tail)) fs::copy_file(from + tail, to + tail);
    }
    fs::remove(to + "-shm");
}

void overwrite(const std::string& path, std::streamoff at, std::size_t count) {
    std::fstream file{path, std::ios::in | std::ios::out | std::ios::binary};
    file.seekp(at);
    file << std::string(count, '\xa5');
    REQUIRE(file.good());
}

}  // namespace

TEST_CASE("opt-outs: a database that is put back takes those back that came since") {
    const Folder folder;
    const auto file = opt_outs_path(folder.db());
    const auto open = [&] {
        auto opened = Connection::open(":memory:");
        REQUIRE(opened.has_value());
        REQUIRE(migrate(**opened).has_value());
        (*opened)->opt_outs_file = file;
        return std::move(*opened);
    };
    const auto say = [](Tx& tx, std::string phone, bool active, std::chrono::hours when) {
        set_opt_out(tx, {.phone = std::move(phone), .active = active, .reason = "stop", .actor = "recipient", .at = now + when});
    };
    const auto lost = open();
    Tx before{*lost};
    say(before, "+15550100101", true, 1h);
    say(before, "+15550100102", true, 1h);
    say(before, "+15550100102", false, 2h);
    say(before, "+15550100103", true, 1h);
    say(before, "+15550100104", true, 3h);
    std::ofstream{file, std::ios::app} << "half a li";
    const auto copy = open();
    Tx tx{*copy};
    copy->opt_outs_file.clear();
    say(tx, "+15550100103", false, 4h);  // newer here
    say(tx, "+15550100104", false, 2h);
    copy->opt_outs_file = file;
    CHECK(take_back_opt_outs(tx, kept_opt_outs(file)) == 2);
    CHECK(find_opt_out(tx, "+15550100101")->active);
    CHECK_FALSE(find_opt_out(tx, "+15550100102").has_value());
    CHECK_FALSE(find_opt_out(tx, "+15550100103")->active);
    CHECK(find_opt_out(tx, "+15550100104")->active);
    CHECK(take_back_opt_outs(tx, kept_opt_outs(file)) == 0);
    CHECK(kept_opt_outs("/nowhere/at/all").empty());
}

TEST_CASE("doubt: what a database says against what the witness says") {
    const Tick tick{.count = 5, .word = "aa", .before = "99", .machine = "m1"};
    const Testimony seen{.tick = tick, .schema = 3, .marks = {10, 20, 30, 40}};
    const Found same{.tick = tick, .schema = 3, .marks = {10, 20, 30, 40}};
    const auto with = [&](auto change) {
        Found found = same;
        change(found);
        return found;
    };
    struct Row {
        const char* name;
        std::optional<Testimony> witness;
        Found found;
        std::string_view why;  ///< part of the sentence; empty: no doubt
    };
    const Row rows[] = {{"the same", seen, same, ""},
                        {"first start of all", std::nullopt, {}, ""},
                        {"commits after the last note", seen, with([](Found& f) { f.marks[1] = 25; }), ""},
                        {"killed between tick and note", seen, with([](Found& f) {
                             f.tick = Tick{6, "bb", "aa", "m1"};
                         }),
                         ""},
                        {"schema of a newer program", seen, with([](Found& f) { f.schema = 4; }), ""},
                        {"machine not known", seen, with([](Found& f) { f.tick->machine = ""; }), ""},
                        {"one message less", seen, with([](Found& f) { f.marks[0] = 9; }), "older"},
                        {"one submission less", seen, with([](Found& f) { f.marks[1] = 19; }), "older"},
                        {"one inbound less", seen, with([](Found& f) { f.marks[2] = 29; }), "older"},
                        {"one audit less", seen, with([](Found& f) { f.marks[3] = 39; }), "older"},
                        {"a tick less", seen, with([](Found& f) {
                             f.tick = Tick{4, "99", "88", "m1"};
                         }),
                         "older"},
                        {"schema went back", seen, with([](Found& f) { f.schema = 2; }), "backwards"},
                        {"used elsewhere", seen, with([](Found& f) {
                             f.tick = Tick{6, "cc", "bb", "m1"};
                         }),
                         "elsewhere"},
                        {"another one of the same age", seen, with([](Found& f) { f.tick->word = "cc"; }), "elsewhere"},
                        {"other machine", seen, with([](Found& f) { f.tick->machine = "m2"; }), "another machine"},
                        {"marked as a backup", seen, with([](Found& f) { f.backup = true; }), "backup"},
                        {"witness lost", std::nullopt, same, "gone"},
                        {"from before there were ticks", seen, with([](Found& f) { f.tick.reset(); }), "older"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const auto why = doubt(row.witness, row.found, "m1");
        CHECK(why.empty() == row.why.empty());
        CHECK(why.find(row.why) != std::string::npos);
    }
}

TEST_CASE("witness: survives a torn write, says nothing when both slots are torn") {
    const Folder folder;
    const auto path = witness_path(folder.db());
    CHECK_FALSE(Witness::read(path).has_value());
    const Testimony first{.tick = {1, "aa", "", "m1"}, .schema = 3, .marks = {1, 2, 3, 4}};
    const Testimony second{.tick = {2, "bb", "aa", "m1"}, .schema = 3, .marks = {5, 6, 7, 8}};
    {
        Witness witness{path};
        REQUIRE(witness.write(first, true));
        REQUIRE(witness.write(second, true));
    }
    CHECK(Witness::read(path) == second);
    Testimony later = second;
    later.marks[1] = 60;
    {
        Witness again{path};
        REQUIRE(again.write(later, false));  // in place of the second
    }
    CHECK(Witness::read(path) == later);
    overwrite(path, 10, 3);
    CHECK(Witness::read(path) == first);
    overwrite(path, 256 + 10, 3);
    CHECK_FALSE(Witness::read(path).has_value());
}

TEST_CASE("store: an older copy put back is found, however young") {
    struct Row {
        const char* name;
        void (*harm)(const Folder&);  ///< between the kill and the next start; "copy" was made before the last commit
        std::string_view why;
        const char* machine = "m1";
    };
    const Row rows[] = {
        {"nothing happened", [](const Folder&) {}, ""},
        {"older by one commit", [](const Folder& f) { copy((f.path / "copy").string(), f.db()); }, "older"},
        {"the -wal file is gone", [](const Folder& f) { fs::remove(f.db() + "-wal"); }, "older"},
        {"the witness is gone", [](const Folder& f) { fs::remove(witness_path(f.db())); }, "gone"},
        {"another machine", [](const Folder&) {}, "another machine", "m2"},
        {"a fresh backup", [](const Folder& f) { CHECK(restore_database(f.db(), (f.path / "backup").string(), now).has_value()); },
         "backup"}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Folder folder;
        {
            Process process{folder};
            REQUIRE(process.store->doubt().empty());
            REQUIRE(process.tick().has_value());
            REQUIRE(process.audit_something().has_value());
            REQUIRE((*Connection::open(folder.db()))->execute("PRAGMA wal_checkpoint(TRUNCATE)").has_value());
            copy(folder.db(), (folder.path / "copy").string());
            REQUIRE(process.audit_something().has_value());
            REQUIRE(backup_database(folder.db(), (folder.path / "backup").string()).has_value());
            // killed: what the process would do at its end is done on files that are put away
            copy(folder.db(), (folder.path / "killed").string());
        }
        copy((folder.path / "killed").string(), folder.db());
        row.harm(folder);
        Process next{folder, row.machine};
        CHECK(next.store->doubt().empty() == row.why.empty());
        CHECK(next.store->doubt().find(row.why) != std::string::npos);
        // asked again before anybody held anything: still in doubt; after the tick it is the database of this machine
        CHECK(Process(folder, row.machine).store->doubt() == next.store->doubt());
        REQUIRE(next.tick().has_value());
        CHECK(Process(folder, row.machine).store->doubt().empty());
    }
}

TEST_CASE("store: ticks cost nothing while nothing is written") {
    const Folder folder;
    Process process{folder};
    REQUIRE(process.tick().has_value());
    const auto first = Witness::read(witness_path(folder.db()));
    REQUIRE(first.has_value());
    REQUIRE(process.tick().has_value());
    CHECK(Witness::read(witness_path(folder.db())) == first);
    REQUIRE(process.audit_something().has_value());
    const auto noted = Witness::read(witness_path(folder.db()));
    CHECK(noted->tick == first->tick);
    CHECK(noted->marks[3] == first->marks[3] + 1);
    REQUIRE(process.tick().has_value());
    CHECK(Witness::read(witness_path(folder.db()))->tick.count == first->tick.count + 1);
}

TEST_CASE("store: a database that is damaged, foreign or gone is left alone, and nothing is written") {
    struct Row {
        const char* name;
        void (*harm)(const std::string& db);
        StoreErrc why;
    };
    const Row rows[] = {
        {"overwritten header", [](const std::string& db) { overwrite(db, 0, 200); }, StoreErrc::corrupt},
        {"overwritten schema", [](const std::string& db) { overwrite(db, 100, 900); }, StoreErrc::corrupt},
        {"truncated", [](const std::string& db) { fs::resize_file(db, 3000); }, StoreErrc::corrupt},
        {"empty", [](const std::string& db) { fs::resize_file(db, 0); }, StoreErrc::missing},
        {"gone", [](const std::string& db) { fs::remove(db); }, StoreErrc::missing},
        {"no database",
         [](const std::string& db) {
             std::ofstream{db, std::ios::trunc} << std::string(5000, 'x');
         },
         StoreErrc::corrupt},
        {"somebody else's",
         [](const std::string& db) {
             fs::remove(db);
             REQUIRE(
                 (*Connection::open(db))->execute("CREATE TABLE messages (note TEXT); INSERT INTO messages VALUES ('mine')").has_value());
         },
         StoreErrc::corrupt}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        const Folder folder;
        {
            Process process{folder};
            REQUIRE(process.tick().has_value());
            REQUIRE(process.audit_something().has_value());
        }
        REQUIRE((*Connection::open(folder.db()))->execute("PRAGMA wal_checkpoint(TRUNCATE)").has_value());
        fs::remove(folder.db() + "-wal");
        fs::remove(folder.db() + "-shm");
        row.harm(folder.db());
        const auto size = fs::exists(folder.db()) ? fs::file_size(folder.db()) : 0;
        Process process{folder};
        REQUIRE(process.store->trouble());
        CAPTURE(process.store->trouble()->text());
        CHECK(process.store->trouble()->is(row.why));
        CHECK(process.store->needs_technician());
        CHECK_FALSE(process.audit_something().has_value());
        CHECK((fs::exists(folder.db()) ? fs::file_size(folder.db()) : 0) == size);
        if (row.why != StoreErrc::missing) continue;
        REQUIRE(process.begin_anew().has_value());
        CHECK_FALSE(process.store->trouble());
        CHECK(process.audit_something().has_value());
    }
}

TEST_CASE("store: damage that shows while it runs ends all writing, and reading goes on where it can") {
    const Folder folder;
    Process process{folder};
    REQUIRE(process
                .write([](Tx& tx) {
                    for (int n = 0; n < 200; ++n) audit(tx, now, "test", "fill", std::string(500, 'x'));
                })
                .has_value());
    REQUIRE((*Connection::open(folder.db()))->execute("PRAGMA wal_checkpoint(TRUNCATE)").has_value());
    overwrite(folder.db(), 40'960, static_cast<std::size_t>(fs::file_size(folder.db())) - 40'960);
    REQUIRE(process
                .write([](Tx& tx) {
                    tx.run("PRAGMA shrink_memory");
                    Rows q = tx.query("SELECT sum(length(target)) FROM audit");
                    q.next();
                })
                .has_error());
    REQUIRE(process.store->trouble());
    CHECK(process.store->trouble()->is(StoreErrc::corrupt));
    const auto refused = process.write([](Tx& tx) { set_setting(tx, "a", "b"); });
    REQUIRE(refused.has_error());
    CHECK(refused.error().is(StoreErrc::corrupt));
}

TEST_CASE("store: a full disk is trouble that ends by itself") {
    const Folder folder;
    Process process{folder};
    const auto fill = [](Tx& tx) {
        for (int n = 0; n < 300; ++n) audit(tx, now, "test", "fill", std::string(900, 'x'));
    };
    REQUIRE(process.write([](Tx& tx) { tx.run("PRAGMA max_page_count = 60"); }).has_value());
    const auto full = process.write(fill);
    REQUIRE(full.has_error());
    CHECK(full.error().is(StoreErrc::full));
    REQUIRE(process.store->trouble());
    CHECK_FALSE(process.store->needs_technician());
    process.home.restart();
    while (process.store->trouble() && process.home.run_one() > 0) {}  // the probe, after three seconds
    CHECK_FALSE(process.store->trouble());
}

TEST_CASE("db: backup, check, restore, release") {
    const Folder folder;
    const auto backup = (folder.path / "backup").string();
    MessageRow row;
    row.phone_number = "+15550100123";
    row.content = "kept";
    row.timestamp = row.not_before = now;
    {
        Process process{folder};
        REQUIRE(process.tick().has_value());
        REQUIRE(process.write([row](Tx& tx) mutable { insert(tx, row); }).has_value());
        REQUIRE(backup_database(folder.db(), backup).has_value());  // beside a running daemon
        CHECK(backup_database(folder.db(), backup).error().is(StoreErrc::constraint));
        const auto checkup = check_database(folder.db());
        REQUIRE(checkup.has_value());
        CHECK(checkup->problems.empty());
        CHECK(checkup->messages == 1);
        CHECK(checkup->queued == 1);
        CHECK(checkup->gives_pages_back);
        CHECK(checkup->schema == newest_schema());
    }
    CHECK((fs::status(backup).permissions() & fs::perms::all) == (fs::perms::owner_read | fs::perms::owner_write));
    overwrite(folder.db(), 0, 500);
    CHECK(check_database(folder.db()).has_error());
    {
        std::ofstream{(folder.path / "broken").string()} << std::string(9000, 'x');
        CHECK(restore_database(folder.db(), (folder.path / "broken").string(), now).has_error());
    }
    const auto aside = restore_database(folder.db(), backup, now);
    REQUIRE(aside.has_value());
    CHECK(*aside == folder.db() + ".20261124T180000Z.old");
    CHECK(fs::exists(*aside));
    {
        Process process{folder};
        CHECK(process.store->doubt().find("backup") != std::string::npos);
        std::int64_t held = -1;
        REQUIRE(process
                    .write([&held](Tx& tx) {
                        held = hold_queued(tx, 100);
                        CHECK(hold_queued(tx, 100) == 0);
                        CHECK(count_held(tx) == 1);
                        CHECK(promote(tx, now, 10) == 0);
                        CHECK_FALSE(any_ready(tx));
                        CHECK(count_open(tx) == 1);
                        auto found = find(tx, MessageId{1});
                        CHECK(found->held);
                        CHECK(found->reason == "restored");
                        update(tx, *found);
                        CHECK(find(tx, MessageId{1})->held);
                    })
                    .has_value());
        CHECK(held == 1);
    }
    const auto released = release_database(folder.db(), "test", now);
    if (!released) FAIL(released.error().text());
    CHECK(*released == 1);
    Process process{folder, machine_id()};
    CHECK(process.store->doubt().empty());
    REQUIRE(process
                .write([](Tx& tx) {
                    CHECK(count_held(tx) == 0);
                    CHECK(promote(tx, now, 10) == 1);
                })
                .has_value());
}

TEST_CASE("db: what root restores on a new machine is whose the folder is") {
    if (::geteuid() != 0) return;
    const Folder old, fresh;
    const auto backup = (old.path / "backup").string();
    {
        Process process{old};
        REQUIRE(process.tick().has_value());
        REQUIRE(backup_database(old.db(), backup).has_value());
    }
    constexpr unsigned nobody = 65534;
    REQUIRE(::chown(fresh.path.c_str(), nobody, nobody) == 0);
    REQUIRE(restore_database(fresh.db(), backup, now).has_value());
    CHECK(fs::exists(fresh.db() + ".lock"));
    for (const auto& made : fs::directory_iterator{fresh.path}) {
        CAPTURE(made.path().string());
        struct stat found {};
        REQUIRE(::stat(made.path().c_str(), &found) == 0);
        CHECK(found.st_uid == nobody);
        CHECK(found.st_gid == nobody);
    }
}
