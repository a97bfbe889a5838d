#pragma once
// A SyncService with a database of its own, and a Supabase of the test.
#include <doctest/doctest.h>

#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "daemon/service/sync_service.hpp"
#include "daemon/store/messages.hpp"
#include "daemon/store/tables.hpp"
#include "tests/support/fake_supabase.hpp"

namespace conductor::service::test {

using namespace std::chrono_literals;
using conductor::test::FakeSupabase;
using nlohmann::json;
namespace fs = std::filesystem;

inline const WallTime start = *parse_rfc3339("2026-11-24T18:00:00Z");

/// The time of day follows BootClock from `start` on, `ahead` of it; sure when the test says so.
struct TestClock final : Clock {
    Instant began = BootClock::now();
    BootClock::duration ahead{};
    bool sure = true;
    Instant now() const override { return BootClock::now() + ahead; }
    WallTime server() const { return start + std::chrono::duration_cast<std::chrono::milliseconds>(now() - began); }
    std::optional<WallTime> wall() const override { return sure ? std::optional{server()} : std::nullopt; }
};

struct Linked {
    boost::asio::io_context io;
    fs::path folder;
    TestClock clock;
    FakeSupabase server{io, [this] { return clock.server(); }};
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
        s.url = server.url();
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
    /// The clock is `by` ahead from now on, and the loop looks: its news are gathered by the same clock, and then it does a round.
    void pass(BootClock::duration by) {
        REQUIRE(run([&] { return !sync->status()["last_success"].is_null(); }, 5s));  // the round before has ended
        clock.ahead = by;
        shared.sync_wake.raise();
        run([] { return false; }, 120ms);
        shared.sync_wake.raise();
        run([] { return false; }, 120ms);
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
    /// A claimed row of one part that waits, with epoch 1 and revision 1, as `change` has it.
    MessageId keep(std::int64_t job, std::function<void(store::MessageRow&)> change = {}) {
        return look([job, change](store::Tx& tx) {
            store::MessageRow m;
            m.phone_number = "+15550100123";
            m.content = "Your order is ready.";
            m.message_class = MessageClass::transactional;
            m.timestamp = m.not_before = start;
            m.due_at = start;
            m.lease_until = start + 600s;
            m.scheduled_message_id = job;
            m.claim_epoch = 1;
            m.revision = 1;
            m.parts.push_back({.seq = 1});
            if (change) change(m);
            store::insert(tx, m);
            return m.id;
        });
    }
    store::MessageRow row(std::int64_t job) {
        const auto found = look([job](store::Tx& tx) { return store::find_by_scheduled(tx, job); });
        REQUIRE(found.has_value());
        return *found;
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

}  // namespace conductor::service::test
