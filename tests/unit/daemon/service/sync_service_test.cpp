// SyncService against a server of this test: what Supabase asks for, and what is claimed while the clock is not sure yet.
#include "daemon/service/sync_service.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/read.hpp>
#include <boost/asio/read_until.hpp>
#include <boost/asio/streambuf.hpp>
#include <boost/asio/write.hpp>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>

#include "daemon/store/messages.hpp"
#include "daemon/store/tables.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace std::chrono_literals;
using nlohmann::json;
using tcp = boost::asio::ip::tcp;
namespace fs = std::filesystem;

namespace {

const WallTime start = *parse_rfc3339("2026-11-24T18:00:00Z");

/// The time of day follows BootClock from `start` on; sure when the test says so.
struct TestClock final : Clock {
    Instant began = BootClock::now();
    bool sure = true;
    Instant now() const override { return BootClock::now(); }
    WallTime server() const { return start + std::chrono::duration_cast<std::chrono::milliseconds>(BootClock::now() - began); }
    std::optional<WallTime> wall() const override { return sure ? std::optional{server()} : std::nullopt; }
};

/// POST /rest/v1/rpc/<function>: answers as `answers` says, each answer with the server's time; counts the calls.
struct Supabase {
    Supabase(boost::asio::io_context& io_, TestClock& clock_)
        : io{io_}, clock{clock_}, acceptor{io_, tcp::endpoint{boost::asio::ip::address_v4::loopback(), 0}} {
        boost::asio::co_spawn(io, accept(this), boost::asio::detached);
    }
    static aio::awaitable<void> accept(Supabase* self) {
        for (;;) {
            auto [ec, socket] = co_await self->acceptor.async_accept(aio::as_value);
            if (ec) co_return;
            boost::asio::co_spawn(self->io, serve(self, std::move(socket)), boost::asio::detached);
        }
    }
    static aio::awaitable<void> serve(Supabase* self, tcp::socket socket) {
        boost::asio::streambuf buffer;
        for (;;) {
            const auto [ec, n] = co_await boost::asio::async_read_until(socket, buffer, "\r\n\r\n", aio::as_value);
            if (ec) co_return;
            std::string head{boost::asio::buffers_begin(buffer.data()), boost::asio::buffers_begin(buffer.data()) + static_cast<long>(n)};
            buffer.consume(n);
            const auto length = static_cast<std::size_t>(std::stoul(head.substr(head.find("Content-Length: ") + 16)));
            if (buffer.size() < length) {
                const auto missing = boost::asio::transfer_exactly(length - buffer.size());
                const auto [failed, more] = co_await boost::asio::async_read(socket, buffer, missing, aio::as_value);
                if (failed) co_return;
            }
            const std::string body{boost::asio::buffers_begin(buffer.data()),
                                   boost::asio::buffers_begin(buffer.data()) + static_cast<long>(length)};
            buffer.consume(length);
            const std::string answer = self->answer_to(head, body);
            const auto [error, written] = co_await boost::asio::async_write(socket, boost::asio::buffer(answer), aio::as_value);
            if (error) co_return;
        }
    }
    std::string answer_to(const std::string& head, const std::string& body) {
        const auto from = head.find("/rpc/") + 5;
        const auto function = head.substr(from, head.find(' ', from) - from);
        ++calls[function];
        if (function == "gw_ack_v1") acknowledged.push_back(body);
        json out = answers.contains(function) ? answers[function] : json::object();
        if (function == "gw_claim_v1" || function == "gw_mine_v1") {
            if (!out.contains("jobs")) out["jobs"] = json::array();
        } else if (function == "gw_commands_v1") {
            if (!out.contains("commands") || !acknowledged.empty()) out["commands"] = json::array();
        } else if (function == "gw_hello_v1") {
            out["gateway_id"] = "box-1";
            out["pool"] = "main";
            out["generation"] = "1";
        }
        if (!out.contains("alone")) out["alone"] = true;
        out["server_now"] = to_rfc3339(clock.server());
        const auto text = out.dump();
        return "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: " + std::to_string(text.size()) + "\r\n\r\n" + text;
    }

    boost::asio::io_context& io;
    TestClock& clock;
    tcp::acceptor acceptor;
    std::map<std::string, json> answers;
    std::map<std::string, int> calls;
    std::vector<std::string> acknowledged;
};

struct Linked {
    boost::asio::io_context io;
    fs::path folder;
    TestClock clock;
    Supabase server{io, clock};
    std::unique_ptr<store::Store> store;
    std::unique_ptr<Context> context;
    Shared shared{io.get_executor()};
    std::unique_ptr<SyncService> sync;

    Linked() {
        std::string name = (fs::temp_directory_path() / "conductor-sync-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder = name;
        auto opened = store::Store::open({.path = (folder / "conductor.db").string()}, io.get_executor(), io.get_executor());
        REQUIRE(opened.has_value());
        store = std::move(*opened);
        auto env = std::make_shared<Env>();
        env->instance = "00000000-0000-4000-8000-000000000001";
        env->config.send.window = {0, 1440};
        env->config.send.days = 0b1111111;
        env->config.modems.push_back({.index = 0});
        env->config.supabase.emplace();
        context = std::make_unique<Context>(Context{io.get_executor(), clock, *store, Log{}, env, std::mt19937_64{1}});
        shared.recovered = true;
        sync = std::make_unique<SyncService>(*context, shared, settings());
    }
    ~Linked() {
        shared.stopping = true;
        sync->now();
        run([] { return false; }, 100ms);
        sync.reset();
        std::error_code ec;
        fs::remove_all(folder, ec);
    }
    sync::ClientSettings settings() const {
        sync::ClientSettings s;
        s.url = "http://127.0.0.1:" + std::to_string(server.acceptor.local_endpoint().port());
        s.keys = {"sb_publishable_example"};
        s.jwt = "a.b.c";
        return s;
    }
    void begin() {
        aio::supervise(io.get_executor(), Log{}, "sync", [this] { return sync->run(); });
    }
    template <class Until>
    bool run(Until until, std::chrono::milliseconds limit) {
        const Instant end = BootClock::now() + limit;
        while (!until() && BootClock::now() < end) {
            io.restart();
            io.run_one_for(10ms);
        }
        return until();
    }
    template <class Job>
    auto look(Job job) {
        using Value = std::invoke_result_t<Job&, store::Tx&>;
        std::optional<Value> out;
        boost::asio::co_spawn(
            io,
            [](store::Store& from, Job j, std::optional<Value>& to) -> aio::awaitable<void> {
                auto got = co_await from.run(j);
                if (got) to = std::move(*got);
            }(*store, job, out),
            boost::asio::detached);
        REQUIRE(run([&] { return out.has_value(); }, 5s));
        return *out;
    }
    std::optional<store::OptOutRow> opt_out(const std::string& phone) {
        return look([phone](store::Tx& tx) { return store::find_opt_out(tx, phone); });
    }
    json job(std::int64_t id) const {
        return {{"id", id},
                {"epoch", 1},
                {"revision", 1},
                {"phone_number", "+15550100123"},
                {"content", "Your order is ready."},
                {"class", "transactional"},
                {"priority", 50},
                {"send_at", to_rfc3339(start)},
                {"lease_expires_at", to_rfc3339(start + 600s)}};
    }
};

json command(std::int64_t id, json payload) {
    return {{"id", id}, {"kind", "opt_out"}, {"payload", std::move(payload)}};
}

}  // namespace

TEST_CASE("an opt-out without a reason is obeyed, and holds up nothing") {
    Linked box;
    box.server.answers["gw_commands_v1"]["commands"] = json::array(
        {command(1,
                 {{"phone_number", "+15550100123"}, {"active", true}, {"at", to_rfc3339(start)}, {"reason", nullptr}, {"actor", nullptr}}),
         command(2, nullptr), command(3, {{"phone_number", 17}, {"active", "yes"}, {"reason", json::array()}}),
         command(4, {{"phone_number", "+15550100124"}, {"active", nullptr}, {"at", nullptr}})});
    box.begin();
    CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));  // behind the commands
    REQUIRE(box.server.acknowledged.size() == 1);
    for (const char* id : {"1", "2", "3", "4"}) CHECK(box.server.acknowledged[0].find(id) != std::string::npos);
    const auto first = box.opt_out("+15550100123"), last = box.opt_out("+15550100124");
    REQUIRE(first.has_value());
    CHECK(first->active);
    CHECK(first->reason == "supabase");
    CHECK(first->actor == "supabase");
    CHECK(first->at == start);
    REQUIRE(last.has_value());
    CHECK(last->active);
}

TEST_CASE("an opt-in of before a STOP does not undo it") {
    struct Row {
        const char* name;
        std::chrono::minutes theirs;  ///< the command's time, after the STOP's; what is known here is an opt-out
        bool active, want;
    };
    const Row rows[] = {{"opt-in before the STOP", -1min, false, true},
                        {"of the same moment", 0min, false, true},
                        {"opt-in after the STOP", 1min, false, false},
                        {"opt-out after it", 1min, true, true}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Linked box;
        const auto stopped = start - 30min;
        box.look([stopped](store::Tx& tx) {
            store::set_opt_out(tx, {.phone = "+15550100123", .active = true, .reason = "STOP", .actor = "recipient", .at = stopped});
            return true;
        });
        const auto theirs = to_rfc3339(stopped + row.theirs);
        box.server.answers["gw_commands_v1"]["commands"] =
            json::array({command(1, {{"phone_number", "+15550100123"}, {"active", row.active}, {"at", theirs}})});
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
        const auto known = box.opt_out("+15550100123");
        REQUIRE(known.has_value());
        CHECK(known->active == row.want);
    }
}

TEST_CASE("what `mine` names is stored though the clock was not sure when the box said hello") {
    Linked box;
    box.clock.sure = false;
    bool tells = false;
    box.shared.told_time = [&](TimeSource source, Instant, WallTime) {
        if (tells && source == TimeSource::supabase) box.clock.sure = true;
    };
    box.server.answers["gw_mine_v1"]["jobs"] = json::array({box.job(4211)});
    const auto stored = [&] { return box.look([](store::Tx& tx) { return store::find_by_scheduled(tx, 4211).has_value(); }); };
    SUBCASE("the server's time makes it sure at once") {
        tells = true;
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
        CHECK(box.server.calls["gw_hello_v1"] == 1);
        CHECK(stored());
    }
    SUBCASE("it becomes sure later") {
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_hello_v1"] > 0; }, 5s));
        box.run([] { return false; }, 300ms);
        CHECK(box.server.calls["gw_mine_v1"] == 0);
        CHECK(box.server.calls["gw_hello_v1"] == 1);  // and the server is not asked again and again meanwhile
        box.clock.sure = true;
        box.sync->now();
        CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
        CHECK(stored());
    }
}

TEST_CASE("without readable credentials nobody is asked, until there are some") {
    Linked box;
    auto none = box.settings();
    none.keys.clear();
    box.sync->update(std::move(none));
    CHECK_FALSE(box.sync->usable());
    box.begin();
    box.run([] { return false; }, 200ms);
    CHECK(box.server.calls.empty());
    CHECK(box.sync->status()["last_error"] == "credentials-unreadable");
    box.sync->update(box.settings());
    CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
    CHECK(box.sync->status()["last_error"] == "");
}

TEST_CASE("a claimed row that cannot be stored holds up none of the others") {
    Linked box;
    box.look([](store::Tx& tx) {
        store::MessageRow m;
        m.key = "supabase-2-1";  // nobody may take such a key; a database of long ago has one
        m.keyed = true;
        m.phone_number = "+15550100123";
        m.content = "Something else.";
        m.timestamp = m.not_before = start;
        m.parts.push_back({.seq = 1});
        store::insert(tx, m);
        return true;
    });
    box.server.answers["gw_mine_v1"]["jobs"] = json::array({box.job(1), box.job(2), box.job(3)});
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
    for (const int id : {1, 2, 3})
        CHECK(box.look([id](store::Tx& tx) { return store::find_by_scheduled(tx, id); }).has_value() == (id != 2));
    CHECK(box.look([](store::Tx& tx) {
        auto q = tx.query("SELECT count(*) FROM audit WHERE action = 'store-failed' AND target = 'scheduled-message-2'");
        return q.next() ? q.i64(0) : 0;
    }) == 1);
}

TEST_CASE("bubbles of one message are a set, and among equal rows the better customer goes first") {
    Linked box;
    json jobs = json::array();
    for (int n = 1; n <= 4; ++n) {
        auto job = box.job(n);
        job["class"] = "marketing";
        job["consent"] = true;
        job["content"] = "Bubble " + std::to_string(n);
        job["send_at"] = to_rfc3339(start + 3s * n);
        job["state"] = n == 1 ? "CA" : "Atlantis";
        if (n <= 2) job["set"] = "campaign-message-9";
        if (n > 2) job["phone_number"] = "+1555010012" + std::to_string(n);
        job["customer"] = {{"value_percentile", n == 4 ? 1.0 : 0.1}, {"visits", 3}};
        jobs.push_back(job);
    }
    box.server.answers["gw_mine_v1"]["jobs"] = jobs;
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] > 0; }, 5s));
    std::map<int, store::MessageRow> rows;
    for (int n = 1; n <= 4; ++n) {
        auto row = box.look([n](store::Tx& tx) { return store::find_by_scheduled(tx, n); });
        REQUIRE(row.has_value());
        CHECK(row->status == MessageStatus::queued);
        rows[n] = *row;
    }
    CHECK(rows[2].after == rows[1].id);
    CHECK_FALSE(rows[3].after.has_value());
    // the first one's lease was lost, and it comes again: the second stays behind it
    const auto anew = box.look([&](store::Tx& tx) {
        auto first = rows[1];
        first.status = first.stored_status = MessageStatus::cancelled;
        store::update(tx, first);
        NewMessage m;
        m.to = first.phone_number;
        m.text = first.content;
        m.message_class = MessageClass::marketing;
        m.due_at = first.due_at;
        m.consent = true;
        m.set = first.set_name;
        m.scheduled_message_id = 1;
        m.claim_epoch = 2;
        auto taken = take(tx, *box.context->env, m, start, 0);
        REQUIRE(taken.has_value());
        return taken->row;
    });
    CHECK_FALSE(anew.after.has_value());
    CHECK(box.look([&](store::Tx& tx) { return store::find(tx, rows[2].id); })->after == anew.id);
    CHECK(rows[1].state == "CA");
    CHECK_FALSE(rows[2].state.has_value());
    CHECK(rows[4].priority > rows[3].priority);
    CHECK(std::abs(rows[4].priority - 50) <= 0.5);
}

TEST_CASE("what an earlier database of this box may have sent is not sent by this one") {
    struct Row {
        const char* name;
        const char* status;    ///< at the server
        const char* instance;  ///< of the box that claimed it
        bool offline_ok;
        std::chrono::minutes due;
        MessageStatus want;
    };
    const char *own = "00000000-0000-4000-8000-000000000001", *other = "00000000-0000-4000-8000-000000000002";
    const Row rows[] = {{"it had the go", "sending", own, false, -1min, MessageStatus::unknown},
                        {"pinned, due, of another database", "claimed", other, true, -1min, MessageStatus::unknown},
                        {"pinned, not yet due", "claimed", other, true, 60min, MessageStatus::queued},
                        {"never without the go", "claimed", other, false, -1min, MessageStatus::queued},
                        {"its own claim whose answer was lost", "claimed", own, true, -1min, MessageStatus::queued}};
    for (const Row& row : rows) {
        CAPTURE(std::string{row.name});
        Linked box;
        auto job = box.job(4211);
        job["status"] = row.status;
        job["instance"] = row.instance;
        job["offline_ok"] = row.offline_ok;
        job["send_at"] = to_rfc3339(start + row.due);
        box.server.answers["gw_mine_v1"]["jobs"] = json::array({job});
        box.begin();
        // what is unknown is told, before more is claimed
        const char* const next = row.want == MessageStatus::unknown ? "gw_report_v1" : "gw_claim_v1";
        REQUIRE(box.run([&] { return box.server.calls[next] > 0; }, 5s));
        const auto kept = box.look([](store::Tx& tx) { return store::find_by_scheduled(tx, 4211); });
        REQUIRE(kept.has_value());
        CHECK(kept->status == row.want);
        if (row.want == MessageStatus::unknown) CHECK(kept->reason == "begun-before");
    }
}

TEST_CASE("a held row is let go by Supabase where nothing of it can have gone out") {
    struct Row {
        const char* name;
        const char* status;
        const char* instance;  ///< of the box that claimed it
        std::int64_t epoch;
        bool offline_ok;
        std::chrono::minutes due;
        bool held;
        MessageStatus want = MessageStatus::queued;
    };
    const char *own = "00000000-0000-4000-8000-000000000001", *other = "00000000-0000-4000-8000-000000000002";
    const Row rows[] = {{"no go yet, and none to do without", "claimed", other, 1, false, -1min, false},
                        {"it had the go", "sending", other, 1, false, -1min, false, MessageStatus::unknown},
                        {"it may have gone without asking", "claimed", other, 1, true, -1min, false, MessageStatus::unknown},
                        {"it may go without asking", "claimed", other, 1, true, 60min, true},
                        {"adopted", "claimed", own, 1, true, 60min, false},
                        {"claimed afresh", "claimed", own, 2, true, -1min, false}};
    for (const Row& row : rows) {
        CAPTURE(std::string{row.name});
        Linked box;
        box.look([](store::Tx& tx) {
            store::MessageRow m;
            m.phone_number = "+15550100123";
            m.content = "Your order is ready.";
            m.status = MessageStatus::queued;
            m.timestamp = m.not_before = start;
            m.due_at = start;
            m.held = true;
            m.scheduled_message_id = 4211;
            m.claim_epoch = 1;
            m.parts.push_back({.seq = 1});
            store::insert(tx, m);
            return true;
        });
        auto job = box.job(4211);
        job["status"] = row.status;
        job["instance"] = row.instance;
        job["epoch"] = row.epoch;
        job["offline_ok"] = row.offline_ok;
        job["send_at"] = to_rfc3339(start + row.due);
        box.server.answers["gw_mine_v1"]["jobs"] = json::array({job});
        box.begin();
        const char* const next = row.want == MessageStatus::unknown ? "gw_report_v1" : "gw_claim_v1";
        REQUIRE(box.run([&] { return box.server.calls[next] > 0; }, 5s));
        const auto kept = box.look([](store::Tx& tx) { return store::find_by_scheduled(tx, 4211); });
        REQUIRE(kept.has_value());
        CHECK(kept->held == row.held);
        CHECK(kept->status == row.want);
        CHECK_FALSE(kept->begun);
    }
}

TEST_CASE("a box that hears of a copy of itself begins an instance of its own, and one that is fenced sends nothing more") {
    Linked box;
    box.look([](store::Tx& tx) {
        store::MessageRow m;
        m.phone_number = "+15550100123";
        m.content = "Your order is ready.";
        m.status = MessageStatus::queued;
        m.timestamp = m.not_before = m.lease_until.emplace(start + 10h);
        m.due_at = start;
        m.offline_ok = true;
        m.scheduled_message_id = 4211;
        m.claim_epoch = 1;
        m.parts.push_back({.seq = 1});
        store::insert(tx, m);
        return true;
    });
    std::string why;
    box.shared.begin_instance = [&](std::string reason) -> aio::awaitable<Result<void>> {
        why = std::move(reason);
        box.server.answers["gw_hello_v1"] = {{"forked", false}};
        co_return Result<void>{};
    };
    SUBCASE("forked") {
        box.server.answers["gw_hello_v1"] = {{"forked", true}};
        box.begin();
        CHECK(box.run([&] { return box.server.calls["gw_mine_v1"] > 0; }, 5s));
        CHECK_FALSE(why.empty());
        CHECK(box.server.calls["gw_hello_v1"] == 2);
    }
    SUBCASE("fenced") {
        box.server.answers["gw_hello_v1"] = {{"fenced", true}};
        box.begin();
        const auto status = [&] { return box.look([](store::Tx& tx) { return store::find_by_scheduled(tx, 4211)->status; }); };
        CHECK(box.run([&] { return status() == MessageStatus::cancelled; }, 5s));
        CHECK(box.sync->status()["fenced"] == true);
        CHECK(box.server.calls["gw_report_v1"] == 0);  // it is the other one's
        box.sync->go_ahead().set_link(Link::away);     // and being away changes nothing
        CHECK(box.server.calls["gw_mine_v1"] == 0);
    }
}

TEST_CASE("what is due waits no longer than the poll, whatever is told meanwhile") {
    Linked box;
    Env env = *box.context->env;
    env.config.supabase->poll = 1s;
    box.context->env = std::make_shared<const Env>(std::move(env));
    box.begin();
    REQUIRE(box.run([&] { return box.server.calls["gw_claim_v1"] == 1; }, 5s));
    const Instant polled = BootClock::now();
    box.run([] { return false; }, 500ms);
    box.shared.sync_wake.raise();
    CHECK(box.run([&] { return box.server.calls["gw_claim_v1"] == 2; }, 5s));
    CHECK(BootClock::now() - polled < 1400ms);
}
