// Group commit: what shares a commit, what is undone, and who is told.
#include "daemon/store/store.hpp"

#include <doctest/doctest.h>
#include <unistd.h>

#include <atomic>
#include <boost/asio/detached.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/thread_pool.hpp>
#include <filesystem>

#include "daemon/store/messages.hpp"
#include "daemon/store/migrations.hpp"
#include "daemon/store/tables.hpp"

using namespace conductor;
using namespace conductor::store;
using namespace std::chrono_literals;

namespace {

struct TempFile {
    std::string path;
    TempFile() {
        static std::atomic<int> next{0};
        path = (std::filesystem::temp_directory_path() / ("conductor-store-" + std::to_string(::getpid()) + "-" + std::to_string(++next)))
                   .string();
    }
    ~TempFile() {
        for (const char* tail : {"", "-wal", "-shm"}) std::filesystem::remove(path + tail);
    }
};

std::unique_ptr<Store> open(const TempFile& file, asio::io_context& home, aio::Executor worker, std::chrono::milliseconds soon = 200ms) {
    auto store = Store::open({.path = file.path, .soon = soon}, home.get_executor(), std::move(worker));
    if (!store) FAIL(store.error().text());
    return std::move(*store);
}

/// What a job does: sets `name`, and then perhaps fails or worse.
enum class Then { succeed, fail, end_transaction };
struct Outcome {
    std::optional<Result<void>> result;
    bool ok() const { return result && result->has_value(); }
};

aio::awaitable<void> set(Store& store, std::string name, Then then, Outcome& outcome, Urgency urgency = Urgency::now, unsigned party = 0) {
    auto job = [name, then](Tx& tx) {
        set_setting(tx, name, "1");
        if (then == Then::fail) tx.run("INSERT INTO settings (name, value) VALUES (NULL, NULL)");
        if (then == Then::end_transaction) tx.run("ROLLBACK");
    };
    outcome.result = co_await store.run(job, urgency, party);
}

void spawn(asio::io_context& home, aio::awaitable<void> work) {
    asio::co_spawn(home, std::move(work), asio::detached);
}
void drain(asio::io_context& home) {
    home.restart();
    home.poll();
}

/// The names that another connection sees: what is really committed.
std::string names(const TempFile& file) {
    auto connection = Connection::open(file.path);
    REQUIRE(connection.has_value());
    Tx tx{**connection};
    std::string out;
    for (Rows q = tx.query("SELECT name FROM settings ORDER BY name"); q.next();) out += q.text(0);
    return out;
}

}  // namespace

TEST_CASE("store: jobs that wait together share one commit") {
    TempFile file;
    asio::io_context home;
    auto store = open(file, home, home.get_executor());
    std::vector<Outcome> outcomes(10);
    for (int n = 0; n < 10; ++n)
        spawn(home, set(*store, std::string(1, static_cast<char>('a' + n)), Then::succeed, outcomes[static_cast<std::size_t>(n)]));
    drain(home);
    for (const auto& outcome : outcomes) CHECK(outcome.ok());
    CHECK(store->counters().jobs == 10);
    CHECK(store->counters().commits == 1);
    CHECK(store->counters().failures == 0);
    CHECK(names(file) == "abcdefghij");
}

TEST_CASE("store: a failure undoes its own work alone") {
    struct Row {
        std::string name;
        std::vector<Then> jobs;  ///< a, b, c ...
        std::string stored;
    };
    using enum Then;
    const Row rows[] = {
        {"alone", {fail}, ""},
        {"first", {fail, succeed, succeed}, "bc"},
        {"middle", {succeed, fail, succeed}, "ac"},
        {"last", {succeed, succeed, fail}, "ab"},
        {"several", {fail, succeed, fail, succeed}, "bd"},
        {"all", {fail, fail}, ""},
        // as SQLite does by itself on a full disk: nobody is told that his work is stored
        {"the transaction ends, alone", {end_transaction}, ""},
        {"the transaction ends, first", {end_transaction, succeed, succeed}, ""},
        {"the transaction ends, middle", {succeed, end_transaction, succeed}, ""},
        {"the transaction ends, last", {succeed, succeed, end_transaction}, ""},
        {"the transaction ends after a failure", {fail, end_transaction, succeed}, ""},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        TempFile file;
        asio::io_context home;
        auto store = open(file, home, home.get_executor());
        std::vector<Outcome> outcomes(row.jobs.size());
        for (std::size_t n = 0; n < row.jobs.size(); ++n)
            spawn(home, set(*store, std::string(1, static_cast<char>('a' + n)), row.jobs[n], outcomes[n]));
        drain(home);
        std::string told;
        for (std::size_t n = 0; n < outcomes.size(); ++n) {
            REQUIRE(outcomes[n].result.has_value());
            if (outcomes[n].ok()) told += static_cast<char>('a' + n);
        }
        CHECK(told == row.stored);
        CHECK(names(file) == row.stored);
        // and the next one finds a store in order
        Outcome next;
        spawn(home, set(*store, "z", Then::succeed, next));
        drain(home);
        CHECK(next.ok());
        CHECK(names(file) == row.stored + "z");
        CHECK_FALSE(store->trouble().has_value());
    }
}

TEST_CASE("store: an error says what failed, and no value") {
    TempFile file;
    asio::io_context home;
    auto store = open(file, home, home.get_executor());
    Outcome outcome;
    spawn(home, set(*store, "+15550100123", Then::fail, outcome));
    drain(home);
    REQUIRE(outcome.result.has_value());
    REQUIRE(outcome.result->has_error());
    CHECK(outcome.result->error().is(StoreErrc::constraint));
    CHECK(outcome.result->error().text().find("INSERT INTO settings") != std::string::npos);
    CHECK(outcome.result->error().text().find("5550100123") == std::string::npos);
    CHECK(store->counters().failures == 1);
}

TEST_CASE("store: what may wait goes with the next commit") {
    TempFile file;
    asio::io_context home;
    auto store = open(file, home, home.get_executor(), 1h);
    Outcome soon, other, now;
    spawn(home, set(*store, "a", Then::succeed, soon, Urgency::soon));
    spawn(home, set(*store, "b", Then::succeed, other, Urgency::soon));
    drain(home);
    CHECK_FALSE(soon.result.has_value());
    CHECK(names(file).empty());
    spawn(home, set(*store, "c", Then::succeed, now));
    drain(home);
    CHECK(soon.ok());
    CHECK(other.ok());
    CHECK(now.ok());
    CHECK(store->counters().commits == 1);
    CHECK(names(file) == "abc");
}

TEST_CASE("store: what may wait is committed by itself in the end") {
    TempFile file;
    asio::io_context home;
    auto store = open(file, home, home.get_executor(), 2ms);
    for (const char* name : {"a", "b"}) {  // the timer is armed again
        Outcome outcome;
        spawn(home, set(*store, name, Then::succeed, outcome, Urgency::soon));
        home.restart();
        home.run();
        CHECK(outcome.ok());
    }
    CHECK(names(file) == "ab");
}

TEST_CASE("store: what may wait longer goes with what may wait less") {
    TempFile file;
    asio::io_context home;
    auto store = Store::open({.path = file.path, .soon = 2ms, .late = 1h}, home.get_executor(), home.get_executor());
    REQUIRE(store.has_value());
    Outcome late, soon;
    spawn(home, set(**store, "a", Then::succeed, late, Urgency::late));
    drain(home);
    CHECK_FALSE(late.result.has_value());
    spawn(home, set(**store, "b", Then::succeed, soon, Urgency::soon));
    home.restart();
    while (!(late.result && soon.result) && home.run_one() > 0) {}
    CHECK(late.ok());
    CHECK(soon.ok());
    CHECK((*store)->counters().commits <= 1);
    CHECK(names(file) == "ab");
}

TEST_CASE("store: what a party may have stored late goes with its own next job, not with that of another") {
    TempFile file;
    asio::io_context home;
    auto store = Store::open({.path = file.path, .soon = 1h, .late = 1h}, home.get_executor(), home.get_executor());
    REQUIRE(store.has_value());
    Outcome first, second, other, own, next, after;
    spawn(home, set(**store, "a", Then::succeed, first, Urgency::late, 1));
    spawn(home, set(**store, "b", Then::succeed, second, Urgency::late, 2));
    spawn(home, set(**store, "c", Then::succeed, other, Urgency::now, 3));
    drain(home);
    CHECK(names(file) == "c");
    spawn(home, set(**store, "d", Then::succeed, own, Urgency::now, 2));
    drain(home);
    CHECK(second.ok());
    CHECK_FALSE(first.result.has_value());
    CHECK(names(file) == "bcd");
    CHECK((*store)->counters().commits == 2);
    spawn(home, set(**store, "e", Then::succeed, next, Urgency::now, 1));
    spawn(home, set(**store, "f", Then::succeed, after, Urgency::late, 1));
    drain(home);  // late, but its party's job has not begun
    CHECK(first.ok());
    CHECK(next.ok());
    CHECK(after.ok());
}

TEST_CASE("store: what a party may have stored late is stored by itself in the end") {
    TempFile file;
    asio::io_context home;
    auto store = Store::open({.path = file.path, .soon = 1h, .late = 2ms}, home.get_executor(), home.get_executor());
    REQUIRE(store.has_value());
    Outcome late;
    spawn(home, set(**store, "a", Then::succeed, late, Urgency::late, 1));
    home.restart();
    while (!late.result && home.run_one() > 0) {}
    CHECK(late.ok());
}

TEST_CASE("store: values and reads") {
    TempFile file;
    asio::io_context home;
    auto store = open(file, home, home.get_executor());
    std::vector<std::string> seen;
    auto work = [](Store& s, std::vector<std::string>& out) -> aio::awaitable<void> {
        auto write = [](Tx& tx) {
            set_setting(tx, "a", "1");
            return get_setting(tx, "a");
        };
        const auto written = co_await s.run(write);
        out.push_back(written && *written ? **written : "error");
        auto read = [](Tx& tx) { return std::make_unique<std::string>(get_setting(tx, "a").value_or("none")); };
        const auto found = co_await s.read(read);
        out.push_back(found ? **found : "error");
        auto wrong = [](Tx& tx) { return tx.query("SELECT no_such FROM settings").next(); };
        const auto failed = co_await s.read(wrong);
        out.push_back(failed ? "value" : "error");
    };
    spawn(home, work(*store, seen));
    drain(home);
    CHECK(seen == std::vector<std::string>{"1", "1", "error"});
    CHECK(store->counters().commits == 1);
}

TEST_CASE("store: another process that holds the database is trouble, until it lets go") {
    TempFile file;
    asio::io_context home;
    auto store = open(file, home, home.get_executor());
    auto impatient = [](Store& s) -> aio::awaitable<void> {
        auto job = [](Tx& tx) { tx.run("PRAGMA busy_timeout = 1"); };
        const auto done = co_await s.read(job);
        CHECK(done.has_value());
    };
    spawn(home, impatient(*store));
    drain(home);
    auto other = Connection::open(file.path);
    REQUIRE(other.has_value());
    REQUIRE((*other)->execute("BEGIN IMMEDIATE").has_value());
    Outcome first, second;
    spawn(home, set(*store, "a", Then::succeed, first));
    spawn(home, set(*store, "b", Then::succeed, second));
    drain(home);
    REQUIRE(first.result.has_value());
    REQUIRE(first.result->has_error());
    CHECK(first.result->error().is(StoreErrc::locked));
    CHECK_FALSE(second.ok());
    REQUIRE(store->trouble().has_value());
    CHECK(store->trouble()->is(StoreErrc::locked));
    REQUIRE((*other)->execute("ROLLBACK").has_value());
    Outcome third;
    spawn(home, set(*store, "c", Then::succeed, third));
    drain(home);
    CHECK(third.ok());
    CHECK_FALSE(store->trouble().has_value());
    CHECK(names(file) == "c");
}

TEST_CASE("store: a full disk") {
    TempFile file;
    asio::io_context home;
    auto store = open(file, home, home.get_executor());
    std::vector<bool> told;
    auto fill = [](Store& s, std::string name, std::vector<bool>& out) -> aio::awaitable<void> {
        auto job = [name](Tx& tx) { set_setting(tx, name, std::string(400'000, 'x')); };
        const auto done = co_await s.run(job);
        out.push_back(done.has_value());
        if (!done) CHECK(done.error().is(StoreErrc::full));
    };
    auto limit = [](Store& s, bool on) -> aio::awaitable<void> {
        auto job = [on](Tx& tx) { tx.run(on ? "PRAGMA max_page_count = 400" : "PRAGMA max_page_count = 1000000"); };
        const auto done = co_await s.read(job);
        CHECK(done.has_value());
    };
    spawn(home, limit(*store, true));
    drain(home);
    for (const char* name : {"a", "b", "c", "d"}) spawn(home, fill(*store, name, told));
    drain(home);
    REQUIRE(told.size() == 4);
    std::string wanted;
    for (std::size_t n = 0; n < 4; ++n)
        if (told[n]) wanted += static_cast<char>('a' + n);
    CHECK(wanted.size() < 4);
    CHECK(names(file) == wanted);
    spawn(home, limit(*store, false));
    drain(home);
    spawn(home, fill(*store, "e", told));
    drain(home);
    CHECK(told.back());
    CHECK(names(file) == wanted + "e");
}

TEST_CASE("store: many writers and readers, with a thread of its own") {
    TempFile file;
    asio::io_context home;
    asio::thread_pool disk{1};
    constexpr int writers = 16, each = 20;
    int done = 0, failed = 0;
    {
        auto store = open(file, home, disk.get_executor(), 1ms);
        auto write = [](Store& s, int who, int& ok, int& bad) -> aio::awaitable<void> {
            for (int n = 0; n < each; ++n) {
                const bool fails = (who + n) % 7 == 0;
                auto job = [who, n, fails](Tx& tx) {
                    set_setting(tx, std::to_string(who) + "." + std::to_string(n), "1");
                    if (fails) tx.fail(conductor::fail(StoreErrc::cancelled, "test"));
                    return n;
                };
                const auto result = co_await s.run(job, n % 5 == 0 ? Urgency::soon : Urgency::now);
                ok += result && *result == n;
                bad += !result;
                auto look = [who, n](Tx& tx) { return get_setting(tx, std::to_string(who) + "." + std::to_string(n)).has_value(); };
                const auto there = co_await s.read(look);
                CHECK((there && *there == !fails));
            }
        };
        for (int who = 0; who < writers; ++who) spawn(home, write(*store, who, done, failed));
        home.run();
        disk.join();
        CHECK(done + failed == writers * each);
        CHECK(failed > 0);
        CHECK(store->counters().jobs == 2 * writers * each);
        CHECK(store->counters().failures == static_cast<std::uint64_t>(failed));
        CHECK(store->counters().commits < writers * each / 2);
    }
    auto connection = Connection::open(file.path);
    Tx tx{**connection};
    Rows q = tx.query("SELECT count(*) FROM settings");
    REQUIRE(q.next());
    CHECK(q.i64(0) == done);
}

TEST_CASE("migrate: from nothing, again, and from the future") {
    TempFile file;
    auto connection = Connection::open(file.path);
    REQUIRE(connection.has_value());
    const auto version = [&] {
        Tx tx{**connection};
        Rows q = tx.query("PRAGMA user_version");
        return q.next() ? q.i64(0) : -1;
    };
    CHECK(version() == 0);
    REQUIRE(migrate(**connection).has_value());
    const auto known = version();
    CHECK(known >= 1);
    {
        Tx tx{**connection};
        set_setting(tx, "kept", "1");
        CHECK_FALSE(tx.failed());
    }
    REQUIRE(migrate(**connection).has_value());
    CHECK(version() == known);
    CHECK(names(file) == "kept");
    REQUIRE((*connection)->execute(("PRAGMA user_version = " + std::to_string(known + 1)).c_str()).has_value());
    const auto refused = migrate(**connection);
    REQUIRE(refused.has_error());
    CHECK(refused.error().is(StoreErrc::newer_schema));
    CHECK(version() == known + 1);
    CHECK(names(file) == "kept");
    asio::io_context home;
    const auto store = Store::open({.path = file.path}, home.get_executor(), home.get_executor());
    REQUIRE(store.has_value());  // it answers, and writes nothing
    REQUIRE((*store)->trouble());
    CHECK((*store)->trouble()->is(StoreErrc::newer_schema));
    CHECK((*store)->needs_technician());
}

TEST_CASE("migrate: what is under way in a database of schema 11 is under way afterwards") {
    TempFile file;
    auto connection = Connection::open(file.path);
    REQUIRE(connection.has_value());
    const auto execute = [&](std::string sql) { REQUIRE((*connection)->execute(sql.c_str()).has_value()); };
    for (const auto& migration : all_migrations())
        if (migration.name < "012") execute(std::string{migration.sql});
    execute("PRAGMA user_version = 11");
    // queued, sending on modem 0, waiting for its report until 1000, delivered; and a part in a slot of modem 3
    for (const char* row : {"1, 0, -1, NULL, NULL", "2, 1, 0, 2, NULL", "3, 2, 1, 3, 1000", "4, 3, 2, 4, NULL"})
        execute(
            "INSERT INTO messages (id, status, modem_index, last_attempt, report_until, direction, class, phone, content, due_at,"
            " not_before, created_at) SELECT column1, column2, column3, column4, column5, 0, 0, '+15550100123', 'Hi.', 1, 1, 1"
            " FROM (VALUES (" +
            std::string{row} + "))");
    for (const char* row : {"1, 2, 0, 1, NULL", "2, 2, 0, NULL, NULL", "3, 3, 1, 0, NULL", "4, 4, 2, 0, NULL", "5, 3, 3, NULL, 7"})
        execute(
            "INSERT INTO attempts (id, message_id, modem_index, outcome, slot, seq, started_at, slot_memory) SELECT column1, column2,"
            " column3, column4, column5, 1, 1, 'SM' FROM (VALUES (" +
            std::string{row} + "))");
    REQUIRE(migrate(**connection).has_value());
    Tx tx{**connection};
    std::vector<std::int64_t> open;
    for (const auto& attempt : open_attempts(tx)) open.push_back(attempt.id);
    CHECK(open == std::vector<std::int64_t>{2, 5});
    CHECK(count_queue(tx).sending == 1);
    CHECK(overdue_reports(tx, from_ms(999), 10).empty());
    const auto overdue = overdue_reports(tx, from_ms(1000), 10);
    REQUIRE(overdue.size() == 1);
    CHECK(overdue[0].id == MessageId{3});
    CHECK(tx.alone([&] { open_attempt(tx, {.message = MessageId{1}, .modem_index = 0}); }).has_value());  // modem 0 has one
    CHECK_FALSE(tx.failed());
    CHECK(open_attempt(tx, {.message = MessageId{1}, .modem_index = 1}) == 6);
}

TEST_CASE("migrate: a step that fails leaves the version before it") {
    TempFile file;
    auto connection = Connection::open(file.path);
    REQUIRE((*connection)->execute("CREATE TABLE settings (something_else)").has_value());
    const auto done = migrate(**connection);
    REQUIRE(done.has_error());
    CHECK(done.error().where.find("001") != std::string::npos);
    Tx tx{**connection};
    Rows q = tx.query("SELECT count(*) FROM sqlite_master");
    REQUIRE(q.next());
    CHECK(q.i64(0) == 1);
}

TEST_CASE("open: what is no database") {
    TempFile file;
    {
        std::FILE* f = std::fopen(file.path.c_str(), "w");
        REQUIRE(f);
        for (int n = 0; n < 500; ++n) std::fputs("this is no database\n", f);
        std::fclose(f);
    }
    const auto garbage = Connection::open(file.path);
    REQUIRE(garbage.has_error());
    CHECK(garbage.error().is(StoreErrc::corrupt));
    const auto nowhere = Connection::open("/nonexistent/folder/x.db");
    REQUIRE(nowhere.has_error());
    CHECK(nowhere.error().is(StoreErrc::open));
}
