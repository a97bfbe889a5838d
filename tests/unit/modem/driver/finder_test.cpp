// Who is where, in virtual time: several modems and sticks, plugged in and out of sockets in memory.
#include "modem/driver/finder.hpp"

#include <doctest/doctest.h>

#include "tests/unit/modem/driver/rig.hpp"

using namespace conductor;
using namespace conductor::driver;
using namespace conductor::driver::test;
using namespace std::chrono_literals;

namespace {

/// A device with its SIM; it keeps both wherever it is plugged in.
struct Stick {
    std::string imei, iccid, imsi;
};
Stick stick(int n) {
    const std::string digit = std::to_string(n);
    return {"3500000000000" + digit + "7", "898820000000000001" + digit, "00101000000001" + digit};
}

class Box {
public:
    struct Socket {
        std::shared_ptr<Line> line;
        std::unique_ptr<ScriptedModem> modem;
        port::UsbFacts usb;
        int plugged = 0, opens = 0;
        bool held = false;  ///< by another program
    };

    ~Box() {
        for (auto& host : hosts) host->stop = true;
        for (auto& host : hosts) host->wake().raise();
        finder.stop();
        until([this] { return ended == static_cast<int>(modems.size()) + 1; }, 120s);
    }

    ScriptedModem& plug(const std::string& name, const Stick& who, port::UsbFacts usb = {}) {
        Socket& s = sockets[name];
        s.line = std::make_shared<Line>(ctx.get_executor());
        s.line->closed = true;
        s.modem = std::make_unique<ScriptedModem>(s.line);
        s.modem->answers["AT+CGSN"] = "\r\n" + who.imei + "\r\n\r\nOK\r\n";
        s.modem->answers["AT+CCID"] = "\r\n+CCID: \"" + who.iccid + "\"\r\n\r\nOK\r\n";
        s.modem->answers["AT+CIMI"] = "\r\n" + who.imsi + "\r\n\r\nOK\r\n";
        s.usb = std::move(usb);
        s.plugged = ++plugs_;
        finder.refresh();
        return *s.modem;
    }
    void unplug(const std::string& name) {
        sockets.at(name).line->lose();
        gone_.push_back(std::move(sockets.at(name)));
        sockets.erase(name);
        finder.refresh();
    }
    Modem& configure(ModemSettings settings) {
        settings.index = static_cast<ModemIndex>(modems.size());
        hosts.push_back(std::make_unique<FakeHost>(ctx.get_executor()));
        const Opener opener = [this](std::string name, port::PortSettings) { return open(std::move(name)); };
        modems.push_back(
            std::make_unique<Modem>(ctx.get_executor(), Log{}, std::move(settings), *hosts.back(), -1, false, opener, &finder));
        start(modems.back()->run());
        return *modems.back();
    }
    void start_finder() { start(finder.run()); }

    bool until(const std::function<bool()>& done, BootClock::duration limit) {
        const Instant end = VirtualTime::current() + limit;
        for (;;) {
            while (ctx.poll() > 0) ctx.restart();
            ctx.restart();
            if (done()) return true;
            if (VirtualTime::current() >= end) return false;
            VirtualTime::current() += 10ms;
            aio::Timer kick{ctx.get_executor(), Instant{}};
            kick.async_wait([](boost::system::error_code) {});
            while (ctx.poll() > 0) ctx.restart();
            ctx.restart();
        }
    }
    bool ready(std::size_t index, const std::string& port, BootClock::duration limit = 5s) {
        const auto there = [&] {
            const ModemStatus& s = modems[index]->status();
            return s.state == ModemState::ready && s.port == port;
        };
        return until(there, limit);
    }
    void pass(BootClock::duration d) {
        until([] { return false; }, d);
    }
    const ModemStatus& status(std::size_t index) const { return modems[index]->status(); }

    VirtualTime time;
    boost::asio::io_context ctx;
    std::map<std::string, Socket> sockets;
    int collisions = 0;  ///< a port was opened that we had open ourselves
    Finder finder{ctx.get_executor(), Log{}, options()};
    std::vector<std::unique_ptr<FakeHost>> hosts;
    std::vector<std::unique_ptr<Modem>> modems;
    int ended = 0;

private:
    FinderOptions options() {
        FinderOptions o;
        o.hotplug = false;
        o.opener = [this](std::string name, port::PortSettings) { return open(std::move(name)); };
        o.candidates = [this] {
            std::vector<port::Candidate> all;
            for (const auto& [name, socket] : sockets) {
                port::Candidate c;
                c.name = c.path = name;
                c.incarnation = std::to_string(socket.plugged);
                c.usb = socket.usb;
                all.push_back(std::move(c));
            }
            return all;
        };
        return o;
    }
    void start(aio::awaitable<void> task) {
        boost::asio::co_spawn(ctx, std::move(task), [this](std::exception_ptr e) {
            CHECK(!e);
            ++ended;
        });
    }
    aio::awaitable<Result<std::unique_ptr<port::ByteStream>>> open(std::string name) {
        const auto at = sockets.find(name);
        if (at == sockets.end()) co_return fail(port::PortErrc::not_found, name);
        if (at->second.held) co_return fail(port::PortErrc::busy, name);
        if (!at->second.line->closed) {
            ++collisions;
            co_return fail(port::PortErrc::busy, name);
        }
        ++at->second.opens;
        at->second.line->closed = false;
        at->second.line->waiting.clear();
        co_return std::unique_ptr<port::ByteStream>{std::make_unique<LineStream>(at->second.line)};
    }
    std::vector<Socket> gone_;
    int plugs_ = 0;
};

port::UsbFacts usb(const std::string& device, int interface = 0) {
    port::UsbFacts facts;
    facts.device = device;
    facts.vendor_id = "12d1";
    facts.product_id = "1001";
    facts.interface = interface;
    return facts;
}

}  // namespace

TEST_CASE("finder: by IMEI, ICCID, IMSI and socket, each port asked once and opened by nobody else") {
    Box box;
    for (int n = 0; n < 4; ++n) box.plug("port" + std::to_string(n), stick(n), usb("1-" + std::to_string(n)));
    box.configure({.imei = stick(3).imei});
    box.configure({.iccid = stick(2).iccid});
    box.configure({.imsi = stick(1).imsi});
    box.configure({.usb = "1-0"});
    box.start_finder();
    for (std::size_t i = 0; i < 4; ++i) {
        CAPTURE(i);
        CHECK(box.ready(i, "port" + std::to_string(3 - i)));
    }
    for (const auto& [name, socket] : box.sockets) {
        CAPTURE(name);
        CHECK(socket.opens == 2);  // asked, then used
    }
    CHECK(box.finder.probes() == 4);
    CHECK(box.collisions == 0);
    box.pass(1h);
    CHECK(box.finder.probes() == 4);  // nobody searches, nobody is asked
    const auto report = box.finder.report();
    REQUIRE(report.size() == 4);
    CHECK(report[3].modem == ModemIndex{0});
    CHECK(report[3].found.who.imei == stick(3).imei);
}

TEST_CASE("finder: two identical sticks come back under swapped names, within five seconds") {
    Box box;
    box.plug("a", stick(1), usb("1-1"));
    box.plug("b", stick(2), usb("1-2"));
    box.configure({.imei = stick(1).imei});
    box.configure({.imei = stick(2).imei});
    box.start_finder();
    REQUIRE(box.ready(0, "a"));
    REQUIRE(box.ready(1, "b"));
    for (int round = 0; round < 3; ++round) {
        const std::string first = round % 2 == 0 ? "b" : "a", second = round % 2 == 0 ? "a" : "b";
        box.unplug("a");
        box.unplug("b");
        if (round == 2) box.pass(10min);  // also after a long absence
        box.plug(first, stick(1), usb("1-1"));
        box.plug(second, stick(2), usb("1-2"));
        CHECK(box.ready(0, first));
        CHECK(box.ready(1, second));
    }
    CHECK(box.collisions == 0);
}

TEST_CASE("finder: of a composite stick the port where SMS works; the others are silenced and read") {
    Box box;
    box.plug("tty0", stick(1), usb("1-1", 0));  // answers AT and little else
    for (const char* line : {"AT+CMGF=0", "AT+CNMI?", "AT+CPMS?"}) box.sockets["tty0"].modem->answers[line] = "\r\nERROR\r\n";
    box.plug("tty1", stick(1), usb("1-1", 1)).mute = true;  // speaks another protocol
    box.plug("tty2", stick(1), usb("1-1", 2));
    for (const char* name : {"tty0", "tty2"}) box.sockets[name].modem->answers["AT+CGMI"] = "\r\nhuawei\r\n\r\nOK\r\n";
    box.configure({.imei = stick(1).imei});
    box.start_finder();
    REQUIRE(box.ready(0, "tty2"));
    box.pass(2s);
    CHECK(box.sockets["tty0"].modem->saw("AT^CURC=0"));
    CHECK(!box.sockets["tty0"].line->closed);
    CHECK(!box.sockets["tty1"].line->closed);
    CHECK(!box.sockets["tty1"].modem->saw("AT^CURC=0"));
    box.sockets["tty0"].line->to_host("\r\n^RSSI: 20\r\n");
    box.pass(1s);
    CHECK(box.sockets["tty0"].line->waiting.empty());
    // it goes as a whole and comes back: the ports are free for its next turn
    for (const char* name : {"tty0", "tty1", "tty2"}) box.unplug(name);
    box.pass(1s);
    box.plug("tty5", stick(1), usb("1-1", 2));
    CHECK(box.ready(0, "tty5"));
    CHECK(box.collisions == 0);
}

TEST_CASE("finder: a port that another process holds is said to be so, and used when it is free") {
    Box box;
    box.plug("a", stick(1));
    box.sockets["a"].held = true;
    box.configure({.imei = stick(1).imei});
    box.start_finder();
    const auto busy = [&] { return box.status(0).reason == "port-busy"; };
    REQUIRE(box.until(busy, 5s));
    CHECK(box.status(0).port == "a");
    box.pass(5min);
    CHECK(busy());
    box.sockets["a"].held = false;
    CHECK(box.ready(0, "a", 15s));
}

TEST_CASE("finder: configured ports that hold each other's modem") {
    Box box;
    box.plug("a", stick(2));
    box.plug("b", stick(1));
    box.configure({.imei = stick(1).imei, .port = "a"});
    box.configure({.imei = stick(2).imei, .port = "b"});
    box.start_finder();
    CHECK(box.ready(0, "b", 15s));
    CHECK(box.ready(1, "a", 15s));
}

TEST_CASE("finder: the wrong modem on the configured port is told, and the right one found when it comes") {
    Box box;
    box.plug("a", stick(2));
    box.configure({.imei = stick(1).imei, .port = "a"});
    box.start_finder();
    const auto wrong = [&] { return box.status(0).reason == "wrong-modem"; };
    REQUIRE(box.until(wrong, 5s));
    box.pass(5min);
    CHECK(wrong());
    box.plug("c", stick(1));
    CHECK(box.ready(0, "c"));
}

TEST_CASE("finder: no PIN for a SIM that is another modem's") {
    Box box;
    box.plug("a", stick(2));
    box.sockets["a"].modem->answers["AT+CPIN?"] = "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n";
    ModemSettings settings{.iccid = stick(1).iccid};
    settings.pin = "1234";
    box.configure(settings);
    box.start_finder();
    box.pass(10min);
    CHECK(box.sockets["a"].modem->count("AT+CPIN=") == 0);
    CHECK(box.status(0).reason == "no-port");
    CHECK(box.hosts[0]->pins.empty());
}

TEST_CASE("finder: a modem that is deaf while it starts is opened anew until it answers") {
    Box box;
    box.plug("a", stick(1)).mute = true;
    box.configure({.imei = stick(1).imei});
    box.start_finder();
    box.pass(12s);
    CHECK(box.sockets["a"].opens >= 3);
    CHECK(box.sockets["a"].opens <= 6);
    box.sockets["a"].modem->mute = false;
    CHECK(box.ready(0, "a", 20s));
}

TEST_CASE("finder: SIMs change places, and their messages go with them") {
    Box box;
    box.plug("a", stick(1));
    box.plug("b", stick(2));
    box.configure({.iccid = stick(1).iccid});
    box.configure({.iccid = stick(2).iccid});
    box.start_finder();
    REQUIRE(box.ready(0, "a"));
    REQUIRE(box.ready(1, "b"));
    box.unplug("a");
    box.unplug("b");
    box.plug("a", {stick(1).imei, stick(2).iccid, stick(2).imsi});
    box.plug("b", {stick(2).imei, stick(1).iccid, stick(1).imsi});
    CHECK(box.ready(0, "b"));
    CHECK(box.ready(1, "a"));
}

TEST_CASE("finder: clones share an IMEI, their SIMs tell them apart") {
    Box box;
    Stick clone = stick(2);
    clone.imei = stick(1).imei;
    box.plug("a", stick(1));
    box.plug("b", clone);
    box.configure({.imei = clone.imei, .iccid = clone.iccid});
    box.configure({.imei = clone.imei, .iccid = stick(1).iccid});
    box.start_finder();
    CHECK(box.ready(0, "b"));
    CHECK(box.ready(1, "a"));
}

TEST_CASE("finder: a survey asks what nobody searches, and says for whom it is meant") {
    Box box;
    box.plug("a", stick(1));
    box.plug("b", stick(2));
    box.plug("c", stick(3)).mute = true;
    box.configure({.imei = stick(1).imei});
    box.start_finder();
    REQUIRE(box.ready(0, "a"));
    std::optional<std::vector<PortReport>> all;
    boost::asio::co_spawn(box.ctx, box.finder.survey(), [&](std::exception_ptr e, std::vector<PortReport> found) {
        CHECK(!e);
        all = std::move(found);
    });
    REQUIRE(box.until([&] { return all.has_value(); }, 20s));
    REQUIRE(all->size() == 3);
    CHECK((*all)[0].modem == ModemIndex{0});
    CHECK((*all)[1].found.who.imei == stick(2).imei);
    CHECK(!(*all)[1].modem);
    CHECK(!(*all)[1].meant);
    CHECK((*all)[2].found.answer == Probe::Answer::deaf);
    CHECK(box.collisions == 0);
}

TEST_CASE("finder: a SIM that tells its identity only behind the PIN is known by what was there last") {
    struct Row {
        const char* name;
        bool by_iccid;    ///< the configuration names the ICCID, else the IMSI
        bool iccid_told;  ///< before the PIN
        Identity last;
        bool found;
    };
    const Stick one = stick(1);
    const Row rows[] = {{"IMSI, by the ICCID behind it", false, true, {.imei = "350000000000993", .iccid = one.iccid}, true},
                        {"IMSI, by the IMEI", false, false, {.imei = one.imei, .iccid = one.iccid}, true},
                        {"IMSI, another SIM in its modem", false, true, {.imei = one.imei, .iccid = stick(2).iccid}, false},
                        {"IMSI, nothing remembered", false, true, {}, false},
                        {"ICCID, by the IMEI", true, false, {.imei = one.imei, .iccid = one.iccid}, true},
                        {"ICCID, nothing remembered", true, false, {}, false}};
    for (const Row& row : rows) {
        CAPTURE(row.name);
        Box box;
        auto& answers = box.plug("a", one).answers;
        const auto before = answers;
        answers["AT+CPIN?"] = "\r\n+CPIN: SIM PIN\r\n\r\nOK\r\n";
        answers["AT+CIMI"] = "\r\n+CME ERROR: 11\r\n";
        if (!row.iccid_told) answers["AT+CCID"] = answers["AT+CRSM=176,12258,0,0,10"] = "\r\n+CME ERROR: 11\r\n";
        box.sockets["a"].line->to_modem = [&, inner = box.sockets["a"].line->to_modem](std::string_view octets) {
            if (octets == "AT+CPIN=\"1234\"\r") answers = before;
            inner(octets);
        };
        ModemSettings settings;
        (row.by_iccid ? settings.iccid : settings.imsi) = row.by_iccid ? one.iccid : one.imsi;
        settings.pin = "1234";
        settings.last = row.last;
        box.configure(settings);
        box.start_finder();
        CHECK(box.ready(0, "a", 60s) == row.found);
        CHECK(box.hosts[0]->pins.size() == (row.found ? 1 : 0));
        if (!row.found && !row.by_iccid) CHECK(box.status(0).reason_text.find("asks for its PIN") != std::string::npos);
    }
}

TEST_CASE("finder: a SIM that was not read yet is asked for again in a second, not in half a minute") {
    Box box;
    auto& answers = box.plug("a", stick(1)).answers;
    const std::string told = answers["AT+CCID"];
    answers["AT+CCID"] = answers["AT+CRSM=176,12258,0,0,10"] = "\r\n+CME ERROR: 14\r\n";
    box.configure({.iccid = stick(1).iccid});
    box.start_finder();
    box.pass(2s);
    CHECK(box.status(0).state == ModemState::absent);
    answers["AT+CCID"] = told;
    CHECK(box.ready(0, "a", 5s));
}

TEST_CASE("ICCIDs are one with and without their check digit") {
    CHECK(same_iccid("8988200000000000017", "8988200000000000017"));
    CHECK(same_iccid("8988200000000000017", "898820000000000001"));
    CHECK(same_iccid("89882000000000000170", "8988200000000000017"));
    CHECK(!same_iccid("8988200000000000017", "8988200000000000018"));
    CHECK(!same_iccid("8988200000000000017", "8988200000000000025"));
    CHECK(!same_iccid("89882000000000", "89882000000000"));
    CHECK(!same_iccid("", ""));
}

TEST_CASE("IMEIs are one by their first 14 digits") {
    CHECK(same_imei("350000000000017", "350000000000017"));
    CHECK(same_imei("350000000000017", "35000000000001"));
    CHECK(same_imei("350000000000017", "3500000000000103"));
    CHECK(same_imei("490154203237518", "490154203237510"));  // the example of annex B, and a 0 for its check digit
    CHECK(!same_imei("490154203237518", "490154203237517"));
    CHECK(!same_imei("350000000000017", "350000000000027"));
    CHECK(!same_imei("3500000000", "3500000000"));
    CHECK(!same_imei("", ""));
}

TEST_CASE("a modem that falls silent keeps its port, so that the whole ladder is tried; unless it answers elsewhere") {
    Box box;
    box.plug("/dev/ttyUSB0", stick(1));
    ModemSettings settings;
    settings.imei = stick(1).imei;
    box.configure(settings);
    box.hosts[0]->power_reset = true;
    box.start_finder();
    REQUIRE(box.ready(0, "/dev/ttyUSB0"));
    box.pass(1min);
    box.sockets.at("/dev/ttyUSB0").modem->mute = true;
    SUBCASE("there") {
        REQUIRE(box.until([&] { return box.status(0).state == ModemState::recovering; }, 100s));
        bool absent = false;
        REQUIRE(box.until(
            [&] {
                absent = absent || box.status(0).state == ModemState::absent;
                return !box.hosts[0]->resets.empty();
            },
            5min));
        CHECK_FALSE(absent);
        CHECK(box.hosts[0]->resets[0] == "power");
        box.sockets.at("/dev/ttyUSB0").modem->mute = false;
        CHECK(box.ready(0, "/dev/ttyUSB0", 30s));
    }
    SUBCASE("a survey in between") {
        REQUIRE(box.until([&] { return box.status(0).rung == "reopen"; }, 100s));
        bool asked = false;
        const auto survey = [&]() -> aio::awaitable<void> {
            const auto ports = co_await box.finder.survey();
            asked = true;
            REQUIRE(ports.size() == 1);
            CHECK(ports[0].found.answer == Probe::Answer::deaf);
            CHECK(ports[0].meant == ModemIndex{0});
        };
        boost::asio::co_spawn(box.ctx, survey(), boost::asio::detached);
        REQUIRE(box.until([&] { return asked; }, 30s));
        REQUIRE(box.until([&] { return !box.hosts[0]->resets.empty(); }, 5min));
        box.sockets.at("/dev/ttyUSB0").modem->mute = false;
        CHECK(box.ready(0, "/dev/ttyUSB0", 30s));
    }
    SUBCASE("elsewhere") {
        REQUIRE(box.until([&] { return box.status(0).state == ModemState::recovering; }, 100s));
        box.plug("/dev/ttyUSB1", stick(1));
        CHECK(box.ready(0, "/dev/ttyUSB1", 60s));
    }
}

TEST_CASE("finder: an ICCID is read as the modem's own bring-up reads it, and compared whole") {
    Box box;
    // digits swapped as they lie in EF-ICCID, and padded
    box.plug("a", stick(1)).answers["AT+CCID"] = "\r\n+CCID: 988802000000000010F1\r\n\r\nOK\r\n";
    box.plug("b", stick(2)).answers["AT+CCID"] = "\r\n+CCID: \"89882000000000000117\"\r\n\r\nOK\r\n";
    box.configure({.iccid = "8988200000000000011"});   // a's, and the first 19 digits of b's
    box.configure({.iccid = "89882000000000000117"});  // b's
    box.start_finder();
    CHECK(box.ready(0, "a", 20s));
    CHECK(box.ready(1, "b", 20s));
}

TEST_CASE("a stick that gives its URCs to one port gives them to the one in use (row 42)") {
    for (const auto& [interface, command] : std::initializer_list<std::pair<int, std::string>>{{2, "AT+QURCCFG=\"urcport\",\"usbat\""},
                                                                                               {3, "AT+QURCCFG=\"urcport\",\"usbmodem\""},
                                                                                               {-1, "AT+QURCCFG=\"urcport\",\"usbat\""}}) {
        CAPTURE(interface);
        Box box;
        auto& modem = box.plug("a", stick(1), usb("1-1", interface));
        modem.answers["AT+CGMI"] = "\r\nQuectel\r\n\r\nOK\r\n";
        modem.answers["AT+CGMM"] = "\r\nEC25\r\n\r\nOK\r\n";
        box.configure({.imei = stick(1).imei});
        box.start_finder();
        REQUIRE(box.ready(0, "a", 20s));
        CHECK(modem.count("AT+QURCCFG=\"urcport\",\"usb") == 1);
        CHECK(modem.saw(command));
    }
}

TEST_CASE("what a modem hands over while it is asked who it is, is kept for it") {
    for (const bool match : {true, false}) {  // by its IMEI, or by its place
        CAPTURE(match);
        Box box;
        auto& m = box.plug("/dev/example0", stick(1), usb("1-1"));
        m.on_command = [&](const std::string& line) {
            if (line == "AT+CGMM") m.raw(std::string{"\r\n+CMT: ,29\r\n"} + delivered_pdu + "\r\n");
        };
        ModemSettings settings;
        if (match) settings.imei = stick(1).imei;
        if (!match) settings.usb = "1-1";
        box.configure(settings);
        box.start_finder();
        REQUIRE(box.until([&] { return m.saw("AT+CGMM"); }, 5s));
        m.on_command = nullptr;
        REQUIRE(box.ready(0, "/dev/example0"));
        REQUIRE(box.until([&] { return !box.hosts[0]->incoming.empty(); }, 5s));
        CHECK(box.hosts[0]->incoming.size() == 1);
        CHECK(box.hosts[0]->incoming[0].hex == delivered_pdu);
        CHECK(box.hosts[0]->incoming[0].by.imei == stick(1).imei);
        CHECK(m.count("AT+CNMA") == 0);
    }
}

TEST_CASE("a second port that opens and hangs up at once is not asked all the time") {
    Box box;
    auto& m = box.plug("/dev/example0", stick(1), usb("1-1"));
    auto& second = box.plug("/dev/example1", stick(1), usb("1-1", 1));
    for (ScriptedModem* one : {&m, &second}) one->answers["AT+CGMI"] = "\r\nhuawei\r\n\r\nOK\r\n";
    ModemSettings settings;
    settings.imei = stick(1).imei;
    box.configure(settings);
    box.start_finder();
    REQUIRE(box.until([&] { return box.status(0).state == ModemState::ready; }, 10s));
    box.pass(5s);
    const std::string other = box.status(0).port == "/dev/example0" ? "/dev/example1" : "/dev/example0";
    auto& socket = box.sockets.at(other);
    socket.opens = 0;
    socket.line->lose();
    box.pass(120s);
    CHECK(socket.opens <= 20);
    CHECK(box.status(0).state == ModemState::ready);
}
