// Several modems on one executor: what one of them does must not be felt by another.
#include <doctest/doctest.h>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

/// One modem of several.
struct Seat {
    Seat(boost::asio::io_context& ctx, ModemIndex index)
        : line{std::make_shared<Line>(ctx.get_executor())}, modem{line}, host{ctx.get_executor()} {
        line->in_turn = true;
        ModemSettings settings;
        settings.index = index;
        settings.port = "pty:/example/modem" + std::to_string(index);
        driver = std::make_unique<Modem>(ctx.get_executor(), Log{}, settings, host, -1, false,
                                         [this](std::string, port::PortSettings) { return open(); });
        boost::asio::co_spawn(ctx, driver->run(), [this](std::exception_ptr) { ended = true; });
    }
    aio::awaitable<Result<std::unique_ptr<port::ByteStream>>> open() {
        line->closed = false;
        co_return std::unique_ptr<port::ByteStream>{std::make_unique<LineStream>(line)};
    }
    void queue(int n) {
        for (int i = 0; i < n; ++i) {
            Submission s;
            s.token = i;
            s.pdu.octets = {0x00, 0x11, 0x00, 0x0B, 0x91, 0x51, 0x55, 0x10, 0x10, 0x32, 0xF4, 0x00, 0x00, 0xA7, 0x02, 0xE8, 0x34};
            s.pdu.tpdu_length = 16;
            host.queue.push_back(std::move(s));
        }
        host.wake().raise();
    }
    std::shared_ptr<Line> line;
    ScriptedModem modem;
    FakeHost host;
    std::unique_ptr<Modem> driver;
    bool ended = false;
};

struct Bench {
    Bench() {
        REQUIRE(until(
            [&] { return healthy.driver->status().state == ModemState::ready && flooded.driver->status().state == ModemState::ready; }));
    }
    ~Bench() {
        for (Seat* seat : {&healthy, &flooded, &mute}) {
            seat->host.stop = true;
            seat->host.wake().raise();
        }
        CHECK(until([&] { return healthy.ended && flooded.ended && mute.ended; }));
    }
    /// One handler, or ten milliseconds when none is ready.
    void step() {
        ctx.restart();
        if (ctx.poll_one() > 0) {
            ++handlers;
            return;
        }
        VirtualTime::current() += 10ms;
        aio::Timer kick{ctx.get_executor(), Instant{}};
        kick.async_wait([](boost::system::error_code) {});
        ctx.restart();
        ctx.poll_one();
    }
    bool until(const std::function<bool()>& done, BootClock::duration limit = 120s) {
        for (const Instant end = VirtualTime::current() + limit; !done(); step())
            if (VirtualTime::current() >= end) return false;
        return true;
    }

    VirtualTime time;
    boost::asio::io_context ctx;
    Seat healthy{ctx, 0}, flooded{ctx, 1}, mute{ctx, 2};
    std::uint64_t handlers = 0;
};

std::string megabytes(std::size_t n, const std::string& urcs) {
    std::string out;
    out.reserve(n << 20);
    while (out.size() < n << 20) out += urcs;
    return out;
}

}  // namespace

TEST_CASE("one modem floods 10 MB of URCs, one is mute: the third keeps its pace, and the flooded one still sends") {
    Bench bench;
    bench.mute.modem.mute = true;
    bench.healthy.queue(50);
    REQUIRE(bench.until([&] { return bench.healthy.host.outcomes.size() == 50; }));
    bench.handlers = 0;
    bench.healthy.queue(50);
    REQUIRE(bench.until([&] { return bench.healthy.host.outcomes.size() == 100; }));
    const auto alone = bench.handlers;

    bench.flooded.modem.raw(
        megabytes(10, "\r\n^RSSI:25\r\n\r\n+CREG: 1\r\n\r\n^BOOT:35323129,0,0,0,26\r\n\r\n+CMTI: ,-1\r\n\r\n+CPIN: READY\r\n"));
    const Instant start = VirtualTime::current();
    bench.handlers = 0;
    bench.healthy.queue(50);
    REQUIRE(bench.until([&] { return bench.healthy.host.outcomes.size() == 150; }));
    CHECK(VirtualTime::current() - start < 1s);
    CHECK(bench.handlers < 20 * alone);                                // its turns came in time
    CHECK(bench.flooded.line->waiting.size() > std::size_t{5} << 20);  // long before the flood was over
    for (const auto& outcome : bench.healthy.host.outcomes) CHECK(outcome.ending == Ending::accepted);

    bench.flooded.queue(3);  // in the midst of its own flood
    CHECK(bench.until([&] { return bench.flooded.host.outcomes.size() == 3; }));
    for (const auto& outcome : bench.flooded.host.outcomes) CHECK(outcome.ending == Ending::accepted);
    CHECK(bench.flooded.driver->status().resets == 0);
    CHECK(bench.mute.driver->status().resets <= 1);
}

TEST_CASE("unplugged, restarting, unregistered and full neighbours: the healthy one keeps its pace") {
    struct Row {
        const char* name;
        std::function<void(Seat&)> happens;
    };
    const Row rows[] = {{"unplugged", [](Seat& s) { s.line->lose(); }},
                        {"restarts", [](Seat& s) { s.modem.raw("\r\nRDY\r\n"); }},
                        {"no network",
                         [](Seat& s) {
                             s.modem.answers["AT+CREG?"] = "\r\n+CREG: 1,2\r\n\r\nOK\r\n";
                             s.modem.say("+CREG: 2");
                         }},
                        {"full", [](Seat& s) { s.modem.say("^SMMEMFULL: \"SM\""); }},
                        {"garbage", [](Seat& s) { s.modem.raw(megabytes(1, std::string(977, '\x8f') + ">\r")); }}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Bench bench;
        row.happens(bench.flooded);
        const Instant start = VirtualTime::current();
        bench.healthy.queue(50);
        CHECK(bench.until([&] { return bench.healthy.host.outcomes.size() == 50; }));
        CHECK(VirtualTime::current() - start < 1s);
        for (const auto& outcome : bench.healthy.host.outcomes) CHECK(outcome.ending == Ending::accepted);
        bench.flooded.line->lost = false;
        bench.flooded.modem.answers.clear();
    }
}

TEST_CASE("a port that opens and hangs up at once is opened less and less often, and said to be so") {
    struct Row {
        const char* port;
        std::size_t most_opens;  ///< in the first two minutes
        BootClock::duration back_within;
    };
    const Row rows[] = {{"tcp:192.0.2.1:3001", 20, 11s}, {"pty:/example/modem0", 70, 3s}};
    for (const Row& row : rows) {
        CAPTURE(row.port);
        ModemSettings settings;
        settings.port = row.port;
        Rig rig{settings};
        rig.line->lose();
        rig.start();
        REQUIRE(rig.until([&] { return rig.driver->status().reason == "port-hangs-up"; }, 2s));
        rig.host.states.clear();
        rig.pass(120s);
        CHECK(rig.opens > 10);
        CHECK(static_cast<std::size_t>(rig.opens) <= row.most_opens);
        CHECK(rig.host.states.size() <= 1);  // it says the same all the time
        rig.line->lost = false;
        CHECK(rig.until_state("ready", row.back_within));
        rig.line->lose();
        REQUIRE(rig.until([&] { return rig.driver->status().reason == "port-hangs-up"; }, 2s));
        rig.pass(60s);
        const Instant told = VirtualTime::current();
        rig.stop();
        CHECK(rig.ended);
        CHECK(VirtualTime::current() - told < 1s);
    }
}
