#pragma once
// One Modem against one ScriptedModem in virtual time: nothing sleeps, and 75 s pass in some milliseconds.
#include "tests/support/virtual_time.hpp"
#include "tests/unit/modem/driver/scripted_modem.hpp"

namespace conductor::driver::test {

using conductor::test::VirtualTime;

class Rig {
public:
    explicit Rig(ModemSettings settings = {}) : settings_{std::move(settings)} {
        if (settings_.port.empty()) settings_.port = "pty:/example/modem0";
        plug();
    }
    ~Rig() { stop(); }

    /// A new line with a new modem behind the same name.
    void plug() {
        line = std::make_shared<Line>(ctx.get_executor());
        modem = std::make_unique<ScriptedModem>(line);
        plugged = true;
    }
    void unplug() {
        plugged = false;
        line->lose();
    }
    void start() {
        driver = std::make_unique<Modem>(ctx.get_executor(), Log{}, settings_, host, adopted, awaiting_late,
                                         [this](std::string, port::PortSettings) { return open(); });
        boost::asio::co_spawn(ctx, driver->run(), [this](std::exception_ptr e) {
            ended = true;
            failure = e;
        });
    }
    /// Runs until `done()`; false when `limit` of virtual time has passed first.
    bool until(const std::function<bool()>& done, BootClock::duration limit = std::chrono::seconds{60}) {
        const Instant end = VirtualTime::current() + limit;
        for (;;) {
            conductor::test::settle(ctx);
            if (done()) return true;
            if (VirtualTime::current() >= end) return false;
            // from timer to timer
            const Instant soon = VirtualTime::current() + std::chrono::milliseconds{1};
            conductor::test::move_to(ctx, std::min(end, std::max(soon, VirtualTime::next())));
        }
    }
    bool until_state(std::string_view state, BootClock::duration limit = std::chrono::seconds{60}) {
        return until([&] { return to_string(driver->status().state) == state; }, limit);
    }
    bool outcome_soon() {
        return until([&] { return !host.outcomes.empty(); });
    }
    void pass(BootClock::duration d) {
        until([] { return false; }, d);
    }
    void stop() {
        if (!driver || ended) return;
        host.stop = true;
        host.wake().raise();
        until([&] { return ended; }, std::chrono::seconds{120});
    }
    void queue(std::int64_t token, bool more = false) {
        Submission s;
        s.token = token;
        s.pdu.octets = {0x00, 0x11, 0x00, 0x0B, 0x91, 0x51, 0x55, 0x10, 0x10, 0x32, 0xF4, 0x00, 0x00, 0xA7, 0x02, 0xE8, 0x34};
        s.pdu.tpdu_length = 16;
        s.more_follow = more;
        host.queue.push_back(std::move(s));
        host.wake().raise();
    }

    VirtualTime time;
    boost::asio::io_context ctx;
    std::shared_ptr<Line> line;
    std::unique_ptr<ScriptedModem> modem;
    FakeHost host{ctx.get_executor()};
    std::unique_ptr<Modem> driver;
    bool ended = false, plugged = true;
    int opens = 0;
    std::optional<port::PortErrc> refuse_open;  ///< what every open() ends with
    int adopted = -1;                           ///< a descriptor of the process before, for start()
    bool awaiting_late = false;
    std::exception_ptr failure;

private:
    aio::awaitable<Result<std::unique_ptr<port::ByteStream>>> open() {
        ++opens;
        if (refuse_open) co_return fail(*refuse_open, "example");
        if (!plugged) co_return fail(port::PortErrc::not_found, "example");
        line->closed = false;
        line->waiting.clear();
        co_return std::unique_ptr<port::ByteStream>{std::make_unique<LineStream>(line)};
    }
    ModemSettings settings_;
};

inline constexpr const char* delivered_pdu = "07915155100010F9040B915155100132F40000621111010140000BE8329BFD06DDDF723619";

}  // namespace conductor::driver::test
