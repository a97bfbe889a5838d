#include <doctest/doctest.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <cstring>
#include <filesystem>
#include <memory>
#include <optional>
#include <thread>

#include "modem/port/apart.hpp"
#include "modem/port/recorder.hpp"
#include "tests/unit/modem/port/ports.hpp"

using namespace conductor;
using namespace conductor::port;
using namespace conductor::port::test;
using namespace std::chrono_literals;

TEST_CASE("a pty: octets both ways unchanged, the lock, and the hang-up") {
    boost::asio::io_context ctx;
    Master master;
    auto stream = open(ctx, "pty:" + master.slave);
    REQUIRE(stream.has_value());
    CHECK((*stream)->descriptor() >= 0);

    const auto second = open(ctx, "pty:" + master.slave);
    REQUIRE(!second.has_value());
    CHECK(second.error().is(PortErrc::busy));

    const std::string sent{"\x00\x03\x04\x11\x13\x1a\x1b\r\n\xff", 10};
    const std::span<const std::uint8_t> view{reinterpret_cast<const std::uint8_t*>(sent.data()), sent.size()};
    REQUIRE(run<Result<void>>(ctx, (*stream)->write(view)).has_value());
    char got[64];
    REQUIRE(::read(master.fd, got, sizeof got) == 10);
    CHECK(std::string{got, 10} == sent);

    REQUIRE(::write(master.fd, sent.data(), sent.size()) == 10);
    std::uint8_t buffer[64];
    const auto n = run<Result<std::size_t>>(ctx, (*stream)->read_some(buffer));
    REQUIRE(n.has_value());
    CHECK(std::string{buffer, buffer + *n} == sent);

    master.hang_up();
    const auto lost = run<Result<std::size_t>>(ctx, (*stream)->read_some(buffer));
    REQUIRE(!lost.has_value());
    CHECK(lost.error().is(PortErrc::lost));
    (*stream)->close();
    CHECK((*stream)->descriptor() == -1);
    const auto closed = run<Result<std::size_t>>(ctx, (*stream)->read_some(buffer));
    REQUIRE(!closed.has_value());
    CHECK(closed.error().is(PortErrc::closed));
}

/// Opens it in a mount namespace that is gone afterwards, as a unit's is after each run; -1 where none may be made.
int opened_elsewhere(const std::string& path) {
    int pair[2];
    REQUIRE(::socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair) == 0);
    alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
    char octet = 0;
    iovec place{&octet, 1};
    msghdr message{};
    message.msg_iov = &place;
    message.msg_iovlen = 1;
    message.msg_control = control.data();
    message.msg_controllen = control.size();
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
        const int descriptor = ::unshare(CLONE_NEWNS) == 0 ? ::open(path.c_str(), O_RDWR | O_NOCTTY) : -1;
        cmsghdr* header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof descriptor);
        std::memcpy(CMSG_DATA(header), &descriptor, sizeof descriptor);
        ::_exit(descriptor >= 0 && ::sendmsg(pair[0], &message, 0) == 1 ? 0 : 1);
    }
    int status = 0, descriptor = -1;
    REQUIRE(::waitpid(child, &status, 0) == child);
    if (status == 0 && ::recvmsg(pair[1], &message, MSG_CMSG_CLOEXEC) == 1)
        std::memcpy(&descriptor, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof descriptor);
    ::close(pair[0]);
    ::close(pair[1]);
    return descriptor;
}

TEST_CASE("what a pty has room for is taken at once, the rest as it is read, and all is recorded once") {
    boost::asio::io_context ctx;
    Master master;
    auto opened = open(ctx, "pty:" + master.slave);
    REQUIRE(opened.has_value());
    const auto recorder = std::make_shared<FlightRecorder>(1 << 20, 60s);
    const auto stream = record(std::move(*opened), recorder);
    const std::string text = std::string(200'000, 'a') + "b";
    const std::span<const std::uint8_t> all{reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
    const auto taken = stream->write_now(all);
    REQUIRE(taken.has_value());
    CHECK(*taken > 0);
    REQUIRE(*taken < all.size());

    std::string got;
    std::thread reader{[&] {
        char piece[4096];
        while (got.size() < text.size()) {
            const ssize_t n = ::read(master.fd, piece, sizeof piece);
            if (n <= 0) return;
            got.append(piece, static_cast<std::size_t>(n));
        }
    }};
    const auto rest = run<Result<void>>(ctx, stream->write(all.subspan(*taken)));
    if (!rest) master.hang_up();
    reader.join();
    REQUIRE(rest.has_value());
    CHECK(got == text);
    const auto steps = recorder->transcript().steps;
    REQUIRE(steps.size() == 1);
    CHECK(steps[0].octets == text);

    CHECK(stream->write_now(all.first(5)).value() == 5);
    CHECK(recorder->transcript().steps.back().octets == "aaaaa");
    master.hang_up();
    CHECK(stream->write_now(all).error().is(PortErrc::lost));
    stream->close();
    CHECK(stream->write_now(all).error().is(PortErrc::closed));
}

TEST_CASE("the device of a descriptor is found, also when its mount namespace is gone") {
    const Master master;
    const int here = ::open(master.slave.c_str(), O_RDWR | O_NOCTTY | O_CLOEXEC);
    REQUIRE(here >= 0);
    CHECK(name_of(here) == master.slave);
    ::close(here);
    if (const int elsewhere = opened_elsewhere(master.slave); elsewhere >= 0) {
        CHECK(name_of(elsewhere) == master.slave);
        ::close(elsewhere);
    } else {
        MESSAGE("skipped: no mount namespace may be made here");
    }
    const int null = ::open("/dev/null", O_RDWR | O_CLOEXEC);
    CHECK(name_of(null) == "/dev/null");
    ::close(null);
    CHECK(name_of(-1).empty());
}

TEST_CASE("a link is resolved at every open; an adopted descriptor works") {
    boost::asio::io_context ctx;
    const auto link = std::filesystem::temp_directory_path() / ("conductor-port-test-" + std::to_string(::getpid()));
    Master first, second;
    std::filesystem::create_symlink(first.slave, link);
    { REQUIRE(open(ctx, "pty:" + link.string()).has_value()); }
    std::filesystem::remove(link);
    const auto gone = open(ctx, "pty:" + link.string());
    REQUIRE(!gone.has_value());
    CHECK(gone.error().is(PortErrc::not_found));
    std::filesystem::create_symlink(second.slave, link);
    auto stream = open(ctx, link.string());  // without "pty:": a pty is known by its device number
    REQUIRE(stream.has_value());
    std::filesystem::remove(link);

    auto adopted = adopt_port(ctx.get_executor(), ::dup((*stream)->descriptor()));
    REQUIRE(adopted.has_value());
    (*stream)->close();
    REQUIRE(::write(second.fd, "x", 1) == 1);
    std::uint8_t buffer[8];
    const auto n = run<Result<std::size_t>>(ctx, (*adopted)->read_some(buffer));
    REQUIRE(n.has_value());
    CHECK(*n == 1);
}

TEST_CASE("names that are none") {
    boost::asio::io_context ctx;
    for (const char* name : {"", "pty:", "ttyUSB0", "tcp:host", "tcp:host:", "tcp::1"}) {
        CAPTURE(name);
        const auto stream = open(ctx, name);
        REQUIRE(!stream.has_value());
        CHECK(stream.error().is(PortErrc::bad_name));
    }
}

TEST_CASE("transcript: text and octets, and the place of a mistake") {
    const std::string text = "# device: Example\n> AT\\r\n< \\x1b\\\\A\\r\\n\n! 250ms\n";
    const auto parsed = parse_transcript(text);
    REQUIRE(parsed.has_value());
    CHECK(parsed->steps.size() == 3);
    CHECK(parsed->steps[1].octets == "\x1b\\A\r\n");
    CHECK(parsed->steps[2].pause == 250ms);
    CHECK(format_transcript(*parsed) == text);
    CHECK(parse_transcript("> A\n< \\q\n").error().where == "line@2");
    CHECK(parse_transcript("nonsense\n").error().is(TranscriptErrc::bad_line));
    CHECK(parse_transcript("! 5s\n").error().is(TranscriptErrc::bad_pause));
}

TEST_CASE("the recorder keeps the newest octets within its bounds") {
    FlightRecorder recorder{100, 60s};
    const std::vector<std::uint8_t> ten(10, 'a');
    const Instant start{1h};
    for (int i = 0; i < 30; ++i) recorder.record(TranscriptStep::Kind::received, ten, start + i * 1s);
    std::size_t held = 0;
    for (const auto& step : recorder.transcript().steps) held += step.octets.size();
    CHECK(held == 100);
    CHECK(recorder.dropped() == 200);
    recorder.record(TranscriptStep::Kind::sent, ten, start + 300s);
    const Transcript after = recorder.transcript();
    REQUIRE(after.steps.size() == 1);  // the rest is older than a minute
    CHECK(after.steps[0].kind == TranscriptStep::Kind::sent);
    const auto again = parse_transcript(format_transcript(after));
    REQUIRE(again.has_value());
    CHECK(again->steps == after.steps);
}

TEST_CASE("the recorder keeps no PIN, in the command or in its echo") {
    FlightRecorder recorder;
    const std::string command = "AT+CPIN=\"1234\"\r", echo = "AT+CPIN=\"1234\"\r\r\nOK 12\r\n";
    const auto octets = [](const std::string& s) { return std::span{reinterpret_cast<const std::uint8_t*>(s.data()), s.size()}; };
    recorder.record(TranscriptStep::Kind::sent, octets(command), Instant{1h});
    recorder.record(TranscriptStep::Kind::received, octets(echo), Instant{1h});
    const Transcript kept = recorder.transcript();
    REQUIRE(kept.steps.size() == 2);
    CHECK(kept.steps[0].octets == "AT+CPIN=\"****\"\r");
    CHECK(kept.steps[1].octets == "AT+CPIN=\"****\"\r\r\nOK 12\r\n");
}

TEST_CASE("secrets are masked in every command that carries one, however it is written") {
    struct Row {
        const char *line, *shown;
    };
    const Row rows[] = {{"at+cpin=\"7772\"", "at+cpin=\"****\""},
                        {"AT+CPIN = \"7779\"", "AT+CPIN = \"****\""},
                        {"AT+CP IN=7779", "AT+CP IN=****"},
                        {"AT+CPIN2=\"7772\",\"1234\"", "AT+CPIN2=\"****\",\"****\""},
                        {"AT^CPIN=\"7772\"", "AT^CPIN=\"****\""},
                        {"AT+CLCK=\"SC\",1,\"7775\"", "AT+CLCK=\"SC\",*,\"****\""},
                        {"AT+CPWD=\"SC\",\"7776\",\"7777\"", "AT+CPWD=\"SC\",\"****\",\"****\""},
                        {"AT+CSQ;+CPIN=7772", "AT+CSQ;+CPIN=****"},
                        {"AT+CPIN?\rAT+CMGF=0", "AT+CPIN?\rAT+CMGF=0"},
                        {"+CPINR: SIM PIN,3", "+CPINR: SIM PIN,3"},
                        {"AT+CMGR=12", "AT+CMGR=12"},
                        {"", ""}};
    for (const Row& row : rows) {
        CAPTURE(row.line);
        CHECK(without_secrets(row.line) == row.shown);
        FlightRecorder recorder;  // an echo comes octet by octet
        Instant at{1h};
        for (const char c : std::string_view{row.line}) {
            const auto octet = static_cast<std::uint8_t>(c);
            recorder.record(TranscriptStep::Kind::received, std::span{&octet, 1}, at += 10ms);
        }
        std::string shown;
        for (const auto& step : recorder.transcript().steps) shown += step.octets;
        CHECK(shown == row.shown);
    }
}

TEST_CASE("work on a device that hangs holds nobody up, and nothing else of that device begins meanwhile") {
    boost::asio::io_context ctx;
    int line[2];
    REQUIRE(::pipe2(line, O_CLOEXEC) == 0);
    const auto hangs = [end = line[0]] {
        char octet;
        CHECK(::read(end, &octet, 1) == 1);
    };
    const auto begun = std::make_shared<std::atomic<int>>(0);
    const auto counts = [begun] { ++*begun; };
    std::optional<Result<void>> first, second, other;
    const auto into = [](std::optional<Result<void>>& where) {
        return [&where](std::exception_ptr, Result<void> r) { where = std::move(r); };
    };
    boost::asio::co_spawn(ctx, run_apart("example-1", hangs, 50ms), into(first));
    boost::asio::co_spawn(ctx, run_apart("example-1", counts, 100ms), into(second));
    boost::asio::co_spawn(ctx, run_apart("example-2", counts, 10s), into(other));
    ctx.run();
    REQUIRE((first && second && other));
    CHECK(first->error().is(PortErrc::hung));
    CHECK(second->error().is(PortErrc::hung));
    CHECK(other->has_value());
    CHECK(*begun == 1);
    REQUIRE(::write(line[1], "x", 1) == 1);  // it comes back
    CHECK(run<Result<void>>(ctx, run_apart("example-1", counts, 10s)).has_value());
    CHECK(*begun == 2);
    ::close(line[0]);
    ::close(line[1]);
}

TEST_CASE("a tty that is closed apart is closed soon, and is not opened before") {
    boost::asio::io_context ctx;
    const Master master;
    for (int i = 0; i < 20; ++i) {
        auto opened = std::make_shared<std::optional<int>>();
        const auto work = [opened, path = master.slave] {
            Fd fd{::open(path.c_str(), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC)};
            if (::flock(fd.get(), LOCK_EX | LOCK_NB) == 0) opened->emplace(fd.release());
        };
        REQUIRE(run<Result<void>>(ctx, run_apart("example-3", work, 10s)).has_value());
        REQUIRE_MESSAGE(opened->has_value(), "the one before still holds the lock");
        auto stream = make_fd_stream(ctx.get_executor(), Fd{**opened}, "example-3");
        stream->close();
        CHECK(stream->descriptor() == -1);
    }
}
