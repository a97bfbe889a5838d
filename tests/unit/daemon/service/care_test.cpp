// What ModemService keeps beside messages, over restarts: PINs tried, balance, the audit's lines, flight records.
#include <doctest/doctest.h>
#include <sys/stat.h>

#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <fstream>

#include "daemon/service/flight.hpp"
#include "daemon/service/intake.hpp"
#include "daemon/service/modem_service.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct HandClock final : Clock {
    Instant instant{1h};
    WallTime time = *parse_rfc3339("2026-11-24T18:00:00Z");
    Instant now() const override { return instant; }
    std::optional<WallTime> wall() const override { return sure ? std::optional{time} : std::nullopt; }
    bool sure = true;
    void pass(std::chrono::milliseconds d) {
        instant += d;
        time += d;
    }
};

struct Folder {
    fs::path path;
    Folder() {
        std::string name = (fs::temp_directory_path() / "conductor-care-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() {
        std::error_code ec;
        fs::remove_all(path, ec);
    }
};

/// One run of the daemon, as far as one modem's owner goes; its database stays for the next.
struct Life {
    Life(const Folder& folder, HandClock& clock, config::Modem config, bool awaiting_late = false) {
        auto opened = store::Store::open({.path = (folder.path / "conductor.db").string()}, ctx.get_executor(), ctx.get_executor());
        REQUIRE(opened.has_value());
        store = std::move(*opened);
        auto env = std::make_shared<Env>();
        env->config.modems = {config};
        context = std::make_unique<Context>(Context{ctx.get_executor(), clock, *store, Log{}, env, std::mt19937_64{1}});
        driver::ModemSettings settings;
        settings.port = "pty:/example/modem0";
        modem = std::make_unique<ModemService>(*context, shared, config, settings, -1, awaiting_late);
    }
    ~Life() { settle(); }
    void settle() {
        ctx.restart();
        while (ctx.run_for(300ms) > 0) ctx.restart();
    }
    template <class T>
    T await(aio::awaitable<T> task) {
        std::optional<T> value;
        boost::asio::co_spawn(ctx, std::move(task), [&](std::exception_ptr, T v) { value = std::move(v); });
        settle();
        REQUIRE(value.has_value());
        return *value;
    }
    void await_nothing(aio::awaitable<void> task) {
        boost::asio::co_spawn(ctx, std::move(task), [](std::exception_ptr) {});
        settle();
    }
    bool may_enter(std::string pin, std::optional<int> tries) { return await(modem->may_enter_pin(who, pin, tries)); }
    void note(std::string pin, driver::PinNews news) { await_nothing(modem->note_pin(who, pin, news)); }
    bool accepts(std::string iccid) {
        driver::Identity identity;
        identity.iccid = std::move(iccid);
        return await(modem->accepts_sim(identity));
    }
    void sim_seen() {
        driver::Identity identity;
        identity.iccid = "8988200000000000017";
        CHECK(await(modem->accepts_sim(identity)));
    }
    std::vector<std::string> audit() {
        auto job = [](store::Tx& tx) {
            std::vector<std::string> out;
            for (store::Rows q = tx.query("SELECT action, detail FROM audit ORDER BY id"); q.next();)
                out.push_back(q.text(0) + ": " + q.text(1));
            return out;
        };
        std::vector<std::string> lines;
        auto task = [](store::Store& db, decltype(job) work, std::vector<std::string>& to) -> aio::awaitable<void> {
            auto got = co_await db.read(work);
            if (got) to = *got;
        };
        await_nothing(task(*store, job, lines));
        std::erase_if(lines, [](const std::string& line) { return line.starts_with("sim: "); });
        return lines;
    }

    /// Status and reason of the first message.
    std::string message() {
        auto look = [](store::Tx& tx) {
            const auto row = store::find(tx, MessageId{1});
            return row ? std::string{to_string(row->status)} + " " + row->reason.value_or("") : "";
        };
        auto task = [](store::Store& db, decltype(look) job) -> aio::awaitable<std::string> {
            auto seen = co_await db.read(job);
            co_return seen ? *seen : "";
        };
        return await(task(*store, look));
    }

    driver::Identity who{.imei = "350000000000017", .iccid = "8988200000000000017"};
    boost::asio::io_context ctx;
    Shared shared{ctx.get_executor()};
    std::unique_ptr<store::Store> store;
    std::unique_ptr<Context> context;
    std::unique_ptr<ModemService> modem;
};

}  // namespace

TEST_CASE("what arrives while the clock is not sure is stored with the last sure time, counted on") {
    Folder folder;
    HandClock clock;
    Life life{folder, clock, {}};
    life.shared.recovered = true;
    life.sim_seen();  // while it is sure
    clock.pass(10min);
    clock.sure = false;
    const auto arrive = [&](const char* hex) {
        driver::Incoming incoming;
        incoming.hex = hex;
        incoming.memory = "ME";
        std::vector<driver::Incoming> all{incoming};
        CHECK(life.await(life.modem->persist_all(std::move(all))) == std::vector<bool>{true});
    };
    arrive("07915155100010F9040B915155100132F40000621111010140000453EA130A");  // STOP
    clock.pass(5s);
    arrive("07915155100010F9040B915155100132F40000621111010141000BE8329BFD06DDDF723619");
    std::vector<std::string> times;
    auto job = [](store::Tx& tx) {
        std::vector<std::string> out;
        for (store::Rows q = tx.query("SELECT at FROM opt_outs UNION ALL SELECT max(created_at) FROM messages WHERE direction = 1");
             q.next();)
            out.push_back(to_rfc3339(q.time(0)));
        return out;
    };
    auto task = [](store::Store& db, decltype(job) work, std::vector<std::string>& to) -> aio::awaitable<void> {
        auto got = co_await db.read(work);
        if (got) to = *got;
    };
    life.await_nothing(task(*life.store, job, times));
    CHECK(times == std::vector<std::string>{"2026-11-24T18:10:00.000Z", "2026-11-24T18:10:05.000Z"});
}

TEST_CASE("a report that nobody sends again is kept until the database takes it") {
    Folder folder;
    HandClock clock;
    Life life{folder, clock, {}};
    driver::Incoming report;
    report.kind = driver::Incoming::Kind::report;
    report.hex = "07915155100010F906050B915155100132F4621111010140006211110101500000";  // handed over: no slot, no acknowledgement
    const auto persisted = life.await(life.modem->persist(std::move(report)));
    CHECK(persisted.has_value());
    CHECK(life.shared.tally.reports + life.shared.tally.inbound_undecodable == 0);
    life.shared.recovered = true;
    const Instant until = BootClock::now() + 5s;
    while (life.shared.tally.reports == 0 && BootClock::now() < until) life.settle();
    CHECK(life.shared.tally.reports == 1);
}

TEST_CASE("a SIM's rest and its limits do not wait for a clock that was ahead") {
    Folder folder;
    HandClock clock;
    Life life{folder, clock, {.index = 0}};
    life.shared.recovered = true;
    life.sim_seen();
    auto add = [now = clock.time, env = life.context->env](store::Tx& tx) {
        NewMessage message;
        message.to = "+15550100123";
        message.text = "Your order is ready.";
        message.message_class = MessageClass::transactional;
        return take(tx, *env, message, now, 0).has_value();
    };
    bool added = false;
    auto task = [](store::Store& db, auto job, bool& to) -> aio::awaitable<void> {
        auto done = co_await db.run(job);
        to = done && *done;
    };
    life.await_nothing(task(*life.store, add, added));
    REQUIRE(added);
    const auto submission = life.await(life.modem->next(std::nullopt, true));
    REQUIRE(submission.has_value());
    driver::SubmitOutcome refused{.token = submission->token, .ending = driver::Ending::refused, .reason = "cms-310"};
    refused.cms = 310;  // no SIM
    CHECK_FALSE(life.await(life.modem->next(std::move(refused), true)).has_value());
    CHECK(life.modem->resting() != "");
    clock.time -= 24h * 300;
    clock.instant += 14min;
    life.await(life.modem->next(std::nullopt, true));
    CHECK(life.modem->resting() != "");
    clock.instant += 2min;
    life.await(life.modem->next(std::nullopt, true));
    CHECK(life.modem->resting() == "");
}

namespace {

struct OneSubmitted : Life {
    std::optional<driver::Submission> submission;
    OneSubmitted(const Folder& folder, HandClock& clock) : Life{folder, clock, {.index = 0}} {
        shared.recovered = true;
        sim_seen();
        auto add = [now = clock.time, env = context->env](store::Tx& tx) {
            NewMessage message;
            message.to = "+15550100123";
            message.text = "Your order is ready.";
            message.message_class = MessageClass::transactional;
            return take(tx, *env, message, now, 0).has_value();
        };
        await_nothing(ignore(*store, add));
        submission = await(modem->next(std::nullopt, true));
        REQUIRE(submission.has_value());
    }
    template <class Job>
    static aio::awaitable<void> ignore(store::Store& db, Job job) {
        const auto done = co_await db.run(job);
        CHECK(done.has_value());
    }
};

}  // namespace

TEST_CASE("what the process before left open on a modem that does not come back is unknown when no answer can come any more") {
    Folder folder;
    HandClock clock;
    {
        OneSubmitted before{folder, clock};
        REQUIRE(before.message() == "sending ");
    }
    Life life{folder, clock, {.index = 0}, true};
    life.shared.recovered = true;
    clock.pass(79s);
    life.await_nothing(life.modem->give_up_inherited());
    CHECK(life.message() == "sending ");
    clock.pass(1s);
    life.await_nothing(life.modem->give_up_inherited());
    CHECK(life.message() == "unknown restarted");
}

TEST_CASE("a modem that is paused keeps what has not begun, over a restart, and is not disabled by that") {
    Folder folder;
    HandClock clock;
    {
        OneSubmitted life{folder, clock};
        REQUIRE(life.await(life.modem->pause(true, "technician")).has_value());
        const driver::SubmitOutcome lost{.token = life.submission->token, .ending = driver::Ending::not_sent, .reason = "no-prompt"};
        CHECK_FALSE(life.await(life.modem->next(lost, true)).has_value());
        CHECK(life.message() == "queued no-prompt");
    }
    Life life{folder, clock, {.index = 0}};
    life.shared.recovered = true;
    REQUIRE(life.await(life.modem->restore()).has_value());
    CHECK((life.modem->paused() && life.modem->enabled()));
    life.sim_seen();
    CHECK_FALSE(life.await(life.modem->next(std::nullopt, true)).has_value());
    REQUIRE(life.await(life.modem->pause(false, "technician")).has_value());
    CHECK(life.await(life.modem->next(std::nullopt, true)).has_value());
}

TEST_CASE("what a modem could not send before its line was gone, another one is told of") {
    Folder folder;
    HandClock clock;
    OneSubmitted life{folder, clock};
    ModemService other{*life.context, life.shared, {.index = 1}, {}, -1, false};
    life.shared.modems.push_back(&other);
    const driver::SubmitOutcome lost{.token = life.submission->token, .ending = driver::Ending::not_sent, .reason = "port-lost"};
    CHECK_FALSE(life.await(life.modem->next(lost, false)).has_value());
    CHECK(other.wake().raised());
}

TEST_CASE("what was submitted is settled though the clock is not sure any more, and nothing new is taken") {
    Folder folder;
    HandClock clock;
    Life life{folder, clock, {.index = 0}};
    life.shared.recovered = true;
    life.sim_seen();
    std::string statuses;
    const auto both = [&](auto job) {
        auto task = [](store::Store& db, auto work, std::string& to) -> aio::awaitable<void> {
            auto done = co_await db.run(work);
            if (done) to = *done;
        };
        life.await_nothing(task(*life.store, job, statuses));
    };
    auto add = [now = clock.time, env = life.context->env](store::Tx& tx) {
        std::string out;
        for (const char* to : {"+15550100123", "+15550100124"}) {
            NewMessage message;
            message.to = to;
            message.text = "Your order is ready.";
            message.message_class = MessageClass::transactional;
            out += take(tx, *env, message, now, 0) ? 'y' : 'n';
        }
        return out;
    };
    both(add);
    REQUIRE(statuses == "yy");
    const auto submission = life.await(life.modem->next(std::nullopt, true));
    REQUIRE(submission.has_value());
    clock.sure = false;
    clock.instant += 3s;
    driver::SubmitOutcome accepted{.token = submission->token, .ending = driver::Ending::accepted, .tp_mr = 41, .reason = {}};
    SUBCASE("while it sends") {}
    SUBCASE("while it stops") {
        life.shared.stopping = true;
    }
    CHECK_FALSE(life.await(life.modem->next(std::move(accepted), true)).has_value());
    CHECK(life.modem->next_due() <= clock.instant + 10s);
    auto look = [](store::Tx& tx) {
        std::string out;
        for (store::Rows q = tx.query("SELECT status, sent_at FROM messages ORDER BY id"); q.next();)
            out += std::string{to_string(q.as<MessageStatus>(0))} + (q.null(1) ? " " : " at " + to_rfc3339(q.time(1)) + " ");
        return out;
    };
    both(look);
    CHECK(statuses == "sent at 2026-11-24T18:00:03.000Z queued ");
}

TEST_CASE("a limit that a reload brings counts what the SIM sent before") {
    Folder folder;
    HandClock clock;
    config::Modem config{.index = 0};
    config.per_minute = config.per_hour = config.per_day = 0;
    Life life{folder, clock, config};
    life.shared.recovered = true;
    auto journal = [now = clock.time](store::Tx& tx) {
        for (int n = 0; n < 5; ++n)
            tx.run("INSERT INTO attempts (message_id, seq, modem_index, iccid, started_at, outcome) VALUES (?, 1, 0, ?, ?, 0)", n,
                   n == 0 ? "8988200000000000099" : "8988200000000000017", now - 10h + n * 1h);
        return true;
    };
    bool done = false;
    auto task = [](store::Store& db, auto job, bool& to) -> aio::awaitable<void> {
        auto ran = co_await db.run(job);
        to = ran && *ran;
    };
    life.await_nothing(task(*life.store, journal, done));
    REQUIRE(done);
    life.sim_seen();
    CHECK(life.modem->next_slot(clock.time) == clock.time);
    config.per_day = 4;
    life.modem->reload(config);
    life.settle();
    CHECK(life.modem->next_slot(clock.time) == clock.time + 15h);  // of the four the oldest was nine hours ago
    config.per_day = 5;
    life.modem->reload(config);
    life.settle();
    CHECK(life.modem->next_slot(clock.time) == clock.time);
}

TEST_CASE("the journal is read once for all SIMs, and what is taken meanwhile is not forgotten") {
    Folder folder;
    HandClock clock;
    config::Modem config{.index = 0};
    config.per_minute = 0;
    config.per_day = 0;
    config.per_hour = 4;
    Life life{folder, clock, config};
    life.shared.recovered = true;
    const auto write = [&](auto job) {
        auto task = [](store::Store& db, auto work) -> aio::awaitable<void> {
            const auto done = co_await db.run(work);
            CHECK(done.has_value());
        };
        life.await_nothing(task(*life.store, job));
    };
    const auto journal = [&](std::chrono::minutes age, const char* sim, int outcome = 0) {
        auto job = [at = clock.time - age, sim, outcome](store::Tx& tx) {
            tx.run("INSERT INTO attempts (message_id, seq, modem_index, iccid, started_at, outcome) VALUES (1, 1, 1, ?, ?, ?)", sim, at,
                   outcome);
        };
        write(job);
    };
    const std::string sim = "8988200000000000017", other = "8988200000000000099";
    for (const auto age : {50min, 40min, 30min}) journal(age, sim.c_str());
    journal(20min, other.c_str());
    journal(10min, sim.c_str(), 3);  // never left
    life.sim_seen();
    const auto all = life.shared.journaled;
    REQUIRE(all);
    CHECK(all->parts.sims.at(sim).size() == 3);
    CHECK(all->parts.sims.at(other).size() == 1);
    CHECK(life.modem->next_slot(clock.time) == clock.time);
    auto add = [now = clock.time, env = life.context->env](store::Tx& tx) {
        NewMessage message;
        message.to = "+15550100123";
        message.text = "Your order is ready.";
        message.message_class = MessageClass::transactional;
        CHECK(take(tx, *env, message, now, 0).has_value());
    };
    write(add);
    life.modem->reload(config);
    REQUIRE(life.await(life.modem->next(std::nullopt, true)).has_value());
    CHECK(life.modem->next_slot(clock.time) == clock.time + 10min);  // the fourth of this hour
    journal(5min, sim.c_str());
    config.per_hour = 5;
    life.modem->reload(config);
    life.settle();
    CHECK(life.shared.journaled != all);  // it holds four of a SIM
    CHECK(life.modem->next_slot(clock.time) == clock.time + 10min);
    const auto anew = life.shared.journaled;
    life.modem->reload(config);
    life.settle();
    CHECK(life.shared.journaled == anew);
}

TEST_CASE("slots are not judged before what the process before left open is settled") {
    Folder folder;
    HandClock clock;
    Life life{folder, clock, {}};
    auto lay = [](store::Tx& tx) {
        tx.run(
            "INSERT INTO attempts (message_id, seq, modem_index, iccid, started_at, outcome, imei, slot_memory, slot)"
            " VALUES (1, 1, 0, '8988200000000000017', 0, 0, '350000000000000', 'ME', 3)");
    };
    auto look = [](store::Tx& tx) { return static_cast<int>(store::attempts_in(tx, "ME", "350000000000000").size()); };
    int slots = -1;
    auto task = [](store::Store& db, auto before, auto after, int& to) -> aio::awaitable<void> {
        if (auto laid = co_await db.run(before); !laid) co_return;
        auto seen = co_await db.read(after);
        if (seen) to = *seen;
    };
    auto none = [](store::Tx&) {};
    const auto judge = [&] {
        driver::SlotReading reading;
        reading.by.imei = "350000000000000";
        reading.memory = "ME";
        reading.whole = true;  // and slot 3 is empty
        CHECK(life.await(life.modem->judge_slots(std::move(reading))).empty());
        life.await_nothing(task(*life.store, none, look, slots));
    };
    life.await_nothing(task(*life.store, lay, look, slots));
    REQUIRE(slots == 1);
    judge();
    CHECK(slots == 1);
    life.shared.recovered = true;
    judge();
    CHECK(slots == 0);
}

TEST_CASE("PINs of one SIM, over restarts: never a second try is used up, and what was right is entered again") {
    using News = driver::PinNews;
    struct Row {
        const char* name;
        std::vector<News> first;  ///< what became of 1234
        std::optional<int> tries;
        const char* then;
        bool allowed;
    };
    const Row rows[] = {
        {"refused, the same again", {News::refused}, 2, "1234", false},
        {"refused, the same with all tries left: a person opened the SIM since", {News::refused}, 3, "1234", false},
        {"refused, another with two tries left", {News::refused}, 2, "4321", false},
        {"refused, another and the tries are not told", {News::refused}, std::nullopt, "4321", false},
        {"refused, another with all tries left", {News::refused}, 3, "4321", true},
        {"power went before the answer, nothing was used up", {}, 3, "1234", true},
        {"power went before the answer, a try is spent", {}, 2, "1234", false},
        {"power went before the answer, another with a try spent", {}, 2, "4321", false},
        {"it was right", {News::answered, News::open}, 2, "1234", true},
        {"it was right, and the tries are not told", {News::answered, News::open}, std::nullopt, "1234", true},
    };
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Folder folder;
        HandClock clock;
        {
            Life life{folder, clock, {}};
            CHECK(life.may_enter("1234", 3));
            for (const News news : row.first) life.note("1234", news);
        }
        Life life{folder, clock, {}};
        CHECK(life.may_enter(row.then, row.tries) == row.allowed);
    }
}

TEST_CASE("a PIN is tried once on a SIM, whether its ICCID is told or not") {
    struct Row {
        const char *name, *first, *then;
        bool again;
    };
    const Row rows[] = {{"told, not told", "8988200000000000017", "", false},
                        {"not told, told", "", "8988200000000000017", false},
                        {"never told", "", "", false},
                        {"without its check digit", "8988200000000000017", "898820000000000001", false},
                        {"with it", "898820000000000001", "8988200000000000017", false},
                        {"another SIM in the same modem", "8988200000000000017", "8988200000000000025", true}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Folder folder;
        HandClock clock;
        {
            Life life{folder, clock, {}};
            life.who.iccid = row.first;
            CHECK(life.may_enter("1234", 2));
            life.note("1234", driver::PinNews::open);  // by hand: no answer to our try was seen
        }
        Life life{folder, clock, {}};
        life.who.iccid = row.then;
        CHECK(life.may_enter("1234", 2) == row.again);
    }
}

TEST_CASE("a PIN that was said OK to while nobody saw the SIM open") {
    using News = driver::PinNews;
    struct Row {
        const char* name;
        std::vector<News> news;
        std::optional<int> tries;
        bool again;
    };
    const Row rows[] = {{"the modem restarted, and came back open", {News::answered, News::open}, std::nullopt, true},
                        {"power went, all tries are left", {News::answered}, 3, true},
                        {"power went, a try is spent", {News::answered}, 2, false},
                        {"power went, the tries are not told", {News::answered}, std::nullopt, false},
                        {"it is asked for again", {News::answered, News::refused}, 3, false},
                        {"and then opened by hand", {News::answered, News::refused, News::open}, 3, false}};
    for (const bool told : {true, false})
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CAPTURE(told);
            Folder folder;
            HandClock clock;
            {
                Life life{folder, clock, {}};
                if (!told) life.who.iccid.clear();
                CHECK(life.may_enter("1234", 3));
                for (const News news : row.news) {
                    if (news == News::open) life.who.iccid = "8988200000000000017";
                    life.note("1234", news);
                }
            }
            Life life{folder, clock, {}};
            CHECK(life.may_enter("1234", row.tries) == row.again);
        }
}

TEST_CASE("modems that exchange their indexes take their SIMs along; SIMs that are exchanged are held") {
    Folder folder;
    HandClock clock;
    const std::string sims[] = {"8988200000000000017", "8988200000000000025"};
    const auto accepted = [&](ModemIndex index, std::string imei, std::string iccid, std::string imsi = {}, std::string wanted_imsi = {}) {
        config::Modem config;
        config.index = index;
        config.imsi = std::move(wanted_imsi);
        Life life{folder, clock, config};
        driver::Identity identity{.imei = std::move(imei), .iccid = std::move(iccid)};
        identity.imsi = std::move(imsi);
        return life.await(life.modem->accepts_sim(identity));
    };
    const std::string a = "350000000000017", b = "350000000000025", c = "350000000000033";
    CHECK(accepted(0, a, sims[0]));
    CHECK(accepted(1, b, sims[1]));
    CHECK(accepted(0, b, sims[1]));
    CHECK(accepted(1, a, sims[0]));
    CHECK(!accepted(0, b, sims[0]));
    CHECK(!accepted(0, c, sims[0]));
    CHECK(accepted(0, b, sims[0], "001010000000017", "001010000000017"));  // the configuration names it
}

TEST_CASE("an ICCID that is not told is no other SIM, and is not remembered as one") {
    Folder folder;
    HandClock clock;
    Life life{folder, clock, {}};
    CHECK(life.accepts(""));
    CHECK(life.accepts("8988200000000000017"));
    CHECK(life.accepts(""));
    CHECK(life.accepts("898820000000000001"));  // without its check digit
    CHECK(!life.accepts("8988200000000000025"));
    CHECK(!life.await(life.modem->knows_sim("8988200000000000025")));
    CHECK(life.await(life.modem->knows_sim("8988200000000000017")));
    CHECK(life.accepts("8988200000000000017"));
}

TEST_CASE("which modem and SIM were last here is kept for the next start, one that does not tell itself is not") {
    Folder folder;
    HandClock clock;
    const driver::Identity known{.imei = "350000000000017", .iccid = "8988200000000000017", .imsi = "001010000000017"};
    {
        Life life{folder, clock, {}};
        CHECK(life.await(life.modem->accepts_sim(known)));
        CHECK(life.accepts(""));
    }
    Life life{folder, clock, {}};
    auto job = [](store::Tx& tx) { return store::get_setting(tx, last_setting(0)).value_or(""); };
    auto task = [](store::Store& db, decltype(job) work) -> aio::awaitable<std::string> {
        auto got = co_await db.read(work);
        co_return got ? *got : "";
    };
    const driver::Identity last = read_last(life.await(task(*life.store, job)));
    CHECK(last.imei == known.imei);
    CHECK(last.iccid == known.iccid);
    CHECK(last.imsi == known.imsi);
    CHECK(read_last("").iccid.empty());
}

TEST_CASE("balance: asked once in `every` per SIM over restarts; low and silence are told once") {
    Folder folder;
    HandClock clock;
    config::Modem config;
    config.balance = {.ussd = "*100#", .pattern = "balance is {balance} USD", .every = 24h, .low = 5};
    {
        Life life{folder, clock, config};
        CHECK(life.modem->balance_due() == Instant::max());  // no SIM yet
        life.sim_seen();
        CHECK(life.modem->balance_due() <= clock.now());
        CHECK(life.modem->balance_code() == "*100#");
        CHECK(life.modem->balance_due() == clock.now() + 24h);
        life.modem->balance_answered(std::string{"Your balance is 7.50 USD"});
        CHECK(!life.modem->balance_low());
        CHECK(life.modem->advice().empty());
    }
    clock.pass(1h);
    Life life{folder, clock, config};
    life.sim_seen();
    CHECK(life.modem->balance().amount == 7.5);
    CHECK(life.modem->balance_due() == clock.now() + 23h);
    for (const char* text : {"Your balance is 4.99 USD", "Your balance is 4.50 USD"}) {
        clock.pass(24h);
        CHECK(life.modem->balance_due() <= clock.now());
        life.modem->balance_code();
        life.modem->balance_answered(std::string{text});
    }
    CHECK(life.modem->balance_low());
    REQUIRE(life.modem->advice().size() == 1);
    CHECK(life.modem->advice()[0].code == "balance-low");
    CHECK(life.modem->advice()[0].text.find("4.5 USD, below 5") != std::string::npos);
    life.modem->balance_answered(std::string{"Debt: 3"});  // once is enough, where the answer came and was not understood
    REQUIRE(life.modem->advice().size() == 2);
    CHECK(life.modem->advice()[1].code == "balance-unknown");
    for (int i = 0; i < 3; ++i) life.modem->balance_answered(std::string{"Service not available"});
    CHECK(life.modem->balance().failures == 4);
    CHECK(life.modem->balance().amount == 4.5);
    life.settle();
    CHECK(life.audit() == std::vector<std::string>{"balance-low: 4.99 USD, below 5",
                                                   "balance-unknown: the pattern does not fit the answer: Service not available"});
}

TEST_CASE("settings that differ are told once, not at every restart") {
    Folder folder;
    HandClock clock;
    for (int i = 0; i < 3; ++i) {
        Life life{folder, clock, {}};
        life.modem->noted("modem-settings", "CMGF wanted 0, found 1");
        life.modem->noted("storage-high", "ME: 15 of 20");
    }
    Life life{folder, clock, {}};
    for (int i = 0; i < 500; ++i) life.modem->noted("call-refused", "");
    life.settle();
    const auto lines = life.audit();
    CHECK(std::ranges::count(lines, "call-refused: ") == 60);
    CHECK(std::ranges::count(lines, "modem-settings: CMGF wanted 0, found 1") == 1);
    CHECK(std::ranges::count(lines, "storage-high: ME: 15 of 20") == 3);
}

TEST_CASE("flight records: beside the database, for nobody else, not too often, not for ever") {
    Folder folder;
    HandClock clock;
    Life life{folder, clock, {}};
    const fs::path flights = folder.path / "flight";
    const auto count = [&] {
        life.settle();
        return fs::exists(flights) ? std::distance(fs::directory_iterator{flights}, fs::directory_iterator{}) : 0;
    };
    life.modem->incident("mute");
    life.modem->incident("mute");
    life.modem->incident("ambiguous");
    CHECK(count() == 2);
    struct stat s {};
    REQUIRE(::stat((flights / "20261124T180000Z-modem0-mute.at").c_str(), &s) == 0);
    CHECK((s.st_mode & 0777) == 0600);
    REQUIRE(::stat(flights.c_str(), &s) == 0);
    CHECK((s.st_mode & 0777) == 0700);
    clock.pass(6min);
    life.modem->incident("mute");
    CHECK(count() == 3);
    std::ofstream{flights / "notes.txt"} << "a person's";
    CHECK(prune_flights(flights.string(), clock.time + 7 * 24h - 3min, 7 * 24h) == 2);
    CHECK(count() == 2);
    for (int i = 0; i < 150; ++i) REQUIRE(save_flight(flights.string(), clock.time + i * 1s, 1, "mute", "> AT\\r\n").has_value());
    prune_flights(flights.string(), clock.time + 1h, 7 * 24h);
    CHECK(count() == static_cast<std::ptrdiff_t>(FlightLimits::most) + 1);
    CHECK(!save_flight("/proc/nowhere/flight", clock.time, 0, "mute", "").has_value());
}
