// House: what it does when a modem's coroutine throws, and what a reload takes over.
#include "daemon/service/house.hpp"

#include <doctest/doctest.h>

#include <algorithm>
#include <boost/asio/io_context.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <stdexcept>

using namespace conductor;
using namespace conductor::service;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

struct WallFromBoot final : Clock {
    Instant now() const override { return BootClock::now(); }
    std::optional<WallTime> wall() const override {
        return program_made + std::chrono::duration_cast<std::chrono::milliseconds>(BootClock::now().time_since_epoch());
    }
};

struct Home {
    boost::asio::io_context io;
    fs::path folder;
    WallFromBoot clock;
    std::vector<std::string> log;
    std::unique_ptr<store::Store> store;
    std::unique_ptr<House> house;

    /// `of`: the folder of an earlier one, which may still be there.
    explicit Home(const config::Config& config, const fs::path& of = {}) {
        std::string name = (fs::temp_directory_path() / "conductor-house-XXXXXX").string();
        REQUIRE(::mkdtemp(name.data()) != nullptr);
        folder = name;
        if (!of.empty()) fs::copy(of, folder);
        auto opened = store::Store::open({.path = (folder / "conductor.db").string()}, io.get_executor(), io.get_executor());
        REQUIRE(opened.has_value());
        store = std::move(*opened);
        auto sink = std::make_shared<const Log::Sink>([this](Level, std::string_view line) { log.emplace_back(line); });
        house = std::make_unique<House>(io.get_executor(), clock, *store, Log{sink, Level::info}, config,
                                        Inherited{.instance = "00000000-0000-4000-8000-000000000001"}, std::nullopt, 1);
    }
    ~Home() {
        io.stop();
        std::error_code ec;
        fs::remove_all(folder, ec);
    }
    template <class Until>
    bool run(Until until) {
        const Instant end = BootClock::now() + 5s;
        while (!until() && BootClock::now() < end) {
            io.restart();
            io.run_one_for(10ms);
        }
        return until();
    }
    /// What an awaitable of the gateway gives.
    template <class Value>
    Value wait(aio::awaitable<Value> made) {
        std::optional<Value> out;
        boost::asio::co_spawn(io, std::move(made), [&](std::exception_ptr, Value value) { out = std::move(value); });
        REQUIRE(run([&] { return out.has_value(); }));
        return std::move(*out);
    }
    bool logged(std::string_view words) const {
        return std::ranges::any_of(log, [&](const std::string& line) { return line.find(words) != line.npos; });
    }
};

aio::awaitable<Result<std::unique_ptr<port::ByteStream>>> throws() {
    throw std::runtime_error{"a broken invariant"};
    co_return fail(port::PortErrc::io, "never");
}

}  // namespace

TEST_CASE("a modem's coroutine that throws is logged and ends the process, for the next one settles what is open") {
    config::Config config;
    config.modems.push_back({.index = 3, .port = "pty:/nowhere/modem3"});
    Home box{config};
    int ended = 0;
    box.house->shared().end_process = [&] { ++ended; };
    box.house->shared().open_port = [](std::string, port::PortSettings) { return throws(); };
    box.house->add_modem(config.modems[0], modem_settings(config, config.modems[0], ""));
    bool recovered = false;
    boost::asio::co_spawn(box.io, box.house->recover(), [&](std::exception_ptr, Result<void> done) { recovered = done.has_value(); });
    REQUIRE(box.run([&] { return recovered; }));
    box.house->start([] {});
    REQUIRE(box.run([&] { return ended > 0; }));
    CHECK(ended == 1);
    CHECK(box.logged("crashed"));
    CHECK(box.logged("a broken invariant"));
}

TEST_CASE("a modem that was disabled is so before anything may be sent") {
    config::Config config;
    config.modems.push_back({.index = 3, .port = "pty:/nowhere/modem3"});
    Home box{config};
    box.house->add_modem(config.modems[0], modem_settings(config, config.modems[0], ""));
    ModemService& modem = *box.house->shared().modems.front();
    std::optional<bool> done;
    boost::asio::co_spawn(box.io, modem.enable(false, "technician"), [&](std::exception_ptr, Result<void> ok) { done = ok.has_value(); });
    REQUIRE(box.run([&] { return done.has_value(); }));
    Home again{config, box.folder};
    again.house->add_modem(config.modems[0], modem_settings(config, config.modems[0], ""));
    const ModemService& same = *again.house->shared().modems.front();
    CHECK(same.enabled());
    done.reset();
    boost::asio::co_spawn(again.io, again.house->recover(), [&](std::exception_ptr, Result<void> ok) { done = ok.has_value(); });
    REQUIRE(again.run([&] {
        CHECK_FALSE((again.house->shared().recovered && same.enabled()));
        return done.has_value();
    }));
    CHECK(*done);
    CHECK_FALSE(same.enabled());
}

TEST_CASE("reload: what Supabase is asked for changes at once, what needs a restart is said") {
    config::Config config;
    config.supabase.emplace();
    config.supabase->url = "https://project.example.com";
    config.supabase->key_file = "key";
    config.supabase->user_file = "user";
    Home box{config};
    auto wanted = config;
    wanted.supabase->poll = 5s;
    wanted.supabase->horizon = 3600s;
    wanted.supabase->lease = 300s;
    wanted.supabase->batch = 7;
    wanted.supabase->realtime = false;
    wanted.log.level = 7;
    wanted.webhook = config::Webhook{.url = "https://example.com/hook", .secret_file = "secret"};
    box.house->reload(wanted);
    CHECK(box.house->config().supabase == wanted.supabase);
    CHECK(box.logged("needs-restart section=log"));
    CHECK(box.logged("needs-restart section=webhook"));
    CHECK_FALSE(box.logged("needs-restart section=supabase"));
    wanted.supabase->url = "https://other.example.com";
    wanted.supabase->poll = 6s;
    box.house->reload(wanted);
    CHECK(box.house->config().supabase->url == "https://project.example.com");
    CHECK(box.house->config().supabase->poll == 6s);
    CHECK(box.logged("needs-restart section=supabase"));
}

TEST_CASE("queue limit: what has ended makes room at once, and nothing passes it") {
    config::Config config;
    config.gateway.queue_limit = 5;
    Home box{config};
    REQUIRE(box.wait(box.house->recover()).has_value());
    auto& gateway = box.house->gateway();
    int made = 0;
    const auto offer = [&](int count) {
        std::vector<NewMessage> messages(static_cast<std::size_t>(count));
        for (auto& m : messages) {
            m.to = "+15550100123";
            m.text = "Number " + std::to_string(++made);
            m.message_class = MessageClass::transactional;
            m.due_at = *box.clock.wall() + 24h;
        }
        std::vector<MessageId> taken;
        for (const auto& answer : box.wait(gateway.submit_all(std::move(messages), {})))
            if (answer)
                taken.push_back(answer->message.id);
            else
                CHECK(answer.error().code == "queue-full");
        return taken;
    };
    auto open = offer(3);
    CHECK(open.size() == 3);
    CHECK(offer(4).size() == 2);
    CHECK(offer(1).empty());
    for (const auto id : open) REQUIRE(box.wait(gateway.cancel(id, {})).has_value());
    box.wait(aio::sleep_for(1ms));  // five rows are not counted twice within 5 us
    CHECK(offer(4).size() == 3);
    CHECK(offer(2).empty());
}

TEST_CASE("status: a queue that is longer than it counts is as long as intake knows it to be") {
    config::Config config;
    config.gateway.queue_limit = 50'000;
    Home box{config};
    REQUIRE(box.wait(box.house->recover()).has_value());
    auto& gateway = box.house->gateway();
    constexpr std::size_t rows = 20'010;
    std::vector<NewMessage> messages(rows);
    for (std::size_t n = 0; n < rows; ++n) {
        messages[n].to = "+15550100123";
        messages[n].text = "Number " + std::to_string(n);
        messages[n].message_class = MessageClass::transactional;
        messages[n].key = "n-" + std::to_string(n);
    }
    REQUIRE(box.wait(gateway.submit_all(std::move(messages), {})).size() == rows);
    const auto status = box.wait(gateway.status());
    REQUIRE(status.has_value());
    CHECK((*status)["queue"]["open"] == rows);
}

TEST_CASE("what was kept of the clock is of this run of the machine, or nothing") {
    const std::string boot = "0123456789abcdef0123456789abcdef";
    CHECK(kept_offset(boot + " 1790000000123", boot) == 1790000000123ms);
    CHECK(kept_offset(boot + " -5", boot) == -5ms);
    for (const std::string& bad : {std::string{}, boot, boot + " ", boot + " x", boot + " 1x", boot + "1", "x" + boot + " 1"})
        CHECK_FALSE(kept_offset(bad, boot).has_value());
    CHECK_FALSE(kept_offset(boot + " 1", "fedcba9876543210fedcba9876543210").has_value());
    CHECK_FALSE(kept_offset(" 1", "").has_value());
}

TEST_CASE("a technician's command that came to nothing: refused, or failed") {
    using at::AtErrc;
    struct Row {
        Error error;
        int status;
        const char* code;
    };
    const Row rows[] = {{fail(AtErrc::forbidden, "D"), 409, "modem-refused"},
                        {fail(AtErrc::refused, "+CSQ"), 409, "modem-refused"},
                        {fail(AtErrc::timeout, "+CSQ"), 504, "no-answer"},
                        {fail(AtErrc::malformed, "+CUSD"), 502, "bad-answer"},
                        {fail(AtErrc::not_open, "request"), 503, "modem-not-open"},
                        {fail(AtErrc::lost, "+CSQ"), 503, "modem-not-open"},
                        {fail(port::PortErrc::busy, "request"), 503, "modem-not-open"}};
    for (const Row& row : rows) {
        CAPTURE(row.error.text());
        const auto refusal = modem_refusal(row.error);
        CHECK(refusal.status == row.status);
        CHECK(refusal.code == row.code);
    }
}
