// A descriptor that systemd kept over a restart: the answer to the submission before it is awaited, and not an octet is written until then.
#include <doctest/doctest.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

/// The rig's modem at the other end of a descriptor that is real.
struct TakenOver : Rig {
    TakenOver() {
        std::array<int, 2> ends{};
        REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) == 0);
        adopted = ends[0];
        far_ = ends[1];
        ::fcntl(far_, F_SETFL, O_NONBLOCK);
        awaiting_late = true;
        plugged = false;  // no other port is there to be opened
    }
    ~TakenOver() {
        hang_up();
        stop();
    }
    void hang_up() {
        if (far_ >= 0) ::close(std::exchange(far_, -1));
    }
    /// Carries octets between the descriptor and the modem; true when there were some.
    bool pump() {
        if (far_ < 0) return false;
        const auto before = written;
        std::array<char, 4096> buffer{};
        for (ssize_t n = 0; (n = ::read(far_, buffer.data(), buffer.size())) > 0;) {
            written += static_cast<std::size_t>(n);
            line->to_modem(std::string_view{buffer.data(), static_cast<std::size_t>(n)});
        }
        const std::string out = std::exchange(line->waiting, {});
        if (!out.empty()) CHECK(::write(far_, out.data(), out.size()) == static_cast<ssize_t>(out.size()));
        return written != before || !out.empty();
    }
    bool comes(const std::function<bool()>& done, BootClock::duration limit = 60s) {
        return until(
            [&] {
                while (pump()) conductor::test::settle(ctx);  // before time passes
                return done();
            },
            limit);
    }
    bool ready(BootClock::duration limit = 60s) {
        return comes([&] { return driver->status().state == ModemState::ready; }, limit);
    }
    std::size_t written = 0;

private:
    int far_ = -1;
};

}  // namespace

TEST_CASE("take-over: what the answer after the restart means") {
    struct Row {
        const char* name;
        const char* answer;
        std::vector<int> late;
        std::vector<std::string> refusals;
    };
    const Row rows[] = {
        {"+CMGS", "\r\n+CMGS: 55\r\n\r\nOK\r\n", {55}, {}},
        {"+CMSS", "\r\n+CMSS: 56\r\n\r\nOK\r\n", {56}, {}},
        {"a URC in front", "\r\n^RSSI:19\r\n\r\n+CMTI: \"ME\",3\r\n\r\n+CMGS: 57\r\n\r\nOK\r\n", {57}, {}},
        {"definite refusal", "\r\n+CMS ERROR: 38\r\n", {}, {"cms-38"}},
        {"ambiguous refusal", "\r\n+CMS ERROR: 332\r\n", {}, {}},
        {"bare ERROR", "\r\nERROR\r\n", {}, {}},
        {"OK alone", "\r\nOK\r\n", {}, {}},
        {"reboot", "\r\nRDY\r\n", {}, {}},
    };
    for (const bool came_before : {false, true})
        for (const Row& row : rows) {
            CAPTURE(row.name);
            CAPTURE(came_before);
            TakenOver rig;
            if (came_before) {
                rig.modem->raw(row.answer);
                rig.pump();
            }
            rig.start();
            if (!came_before) {
                rig.comes([] { return false; }, 20s);
                CHECK(rig.written == 0);
                CHECK(rig.driver->status().reason == "awaiting-answer");
                rig.modem->raw(row.answer);
            }
            REQUIRE(rig.ready());
            CHECK(rig.host.late == row.late);
            std::vector<std::string> refusals;
            for (const auto& refusal : rig.host.late_refusals) refusals.push_back(refusal.reason);
            CHECK(refusals == row.refusals);
            CHECK(rig.opens == 0);  // it goes on with the same descriptor
        }
}

TEST_CASE("take-over: no answer ends the wait after 70 s, a hang-up at once") {
    TakenOver rig;
    rig.start();
    SUBCASE("silence") {
        rig.comes([] { return false; }, 69s);
        CHECK(rig.written == 0);
        CHECK(rig.ready(5s));
    }
    SUBCASE("hang-up") {
        rig.comes([] { return false; }, 5s);
        rig.hang_up();
        CHECK(rig.comes([&] { return rig.opens > 0; }, 2s));
    }
    SUBCASE("a stop does not wait") {
        rig.comes([] { return false; }, 5s);
        rig.host.stop = true;
        rig.host.wake().raise();
        CHECK(rig.comes([&] { return rig.ended; }, 1s));
        CHECK(rig.written == 0);
    }
    CHECK(rig.host.late.empty());
    CHECK(rig.host.late_refusals.empty());
}

TEST_CASE("take-over: a port that the configuration does not name any more is left, once its answer came") {
    for (const bool awaiting : {false, true}) {
        CAPTURE(awaiting);
        const int master = ::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK);
        REQUIRE(master >= 0);
        REQUIRE(::grantpt(master) == 0);
        REQUIRE(::unlockpt(master) == 0);
        std::array<char, 128> name{};
        REQUIRE(::ptsname_r(master, name.data(), name.size()) == 0);
        const std::string slave = name.data();
        for (const std::string& configured : {std::string{"/dev/example-modem0"}, std::string{"pty:/dev/example-modem0"},
                                              std::string{"tcp:192.0.2.1:2000"}, slave, "pty:" + slave}) {
            CAPTURE(configured);
            const bool same = configured.ends_with(slave);
            ModemSettings settings;
            settings.port = configured;
            Rig rig{settings};
            const int held_port = ::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC);
            REQUIRE(held_port >= 0);
            rig.adopted = held_port;
            rig.awaiting_late = awaiting;
            rig.start();
            rig.pass(1s);
            CHECK((rig.opens == 0) == (same || awaiting));
            if (awaiting) {
                CHECK(::write(master, "\r\n+CMGS: 7\r\n", 13) == 13);
                pollfd held{held_port, POLLIN, 0};  // a pty's octets come by the kernel's own time
                REQUIRE(::poll(&held, 1, 1000) == 1);
            }
            const auto settled = [&] { return rig.host.late.size() == (awaiting ? 1 : 0) && (same || rig.opens > 0); };
            CHECK(rig.until(settled, 5s));
            CHECK((rig.opens == 0) == same);
            CHECK(rig.host.late == (awaiting ? std::vector<int>{7} : std::vector<int>{}));
        }
        ::close(master);
    }
}

TEST_CASE("take-over: without an open submission the bring-up begins at once") {
    TakenOver rig;
    rig.awaiting_late = false;
    rig.start();
    CHECK(rig.ready(5s));
    CHECK(rig.opens == 0);
}
