// Who gets in when many come at once, and that nobody waits for one that is slow.
#include "daemon/service/turns.hpp"

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <string>

#include "tests/support/virtual_time.hpp"

using namespace conductor;
using namespace conductor::service;
using namespace std::chrono_literals;

namespace {

struct Line {
    explicit Line(std::chrono::milliseconds patience = 1h) : turns{io.get_executor(), patience} {}
    /// `name` wants a turn and keeps it until `end` is raised.
    aio::awaitable<void> visit(char name, aio::Event& end) {
        const Turns::Turn turn = co_await turns.take();
        const auto state = co_await asio::this_coro::cancellation_state;
        if (state.cancelled() != asio::cancellation_type::none) co_return;
        inside += name;
        co_await end.wait();
        std::erase(inside, name);
    }
    void come(char name, asio::cancellation_slot slot = {}) {
        ends.push_back(std::make_unique<aio::Event>(io.get_executor()));
        asio::co_spawn(io, visit(name, *ends.back()), asio::bind_cancellation_slot(slot, asio::detached));
        settle();
    }
    void leave(std::size_t nth) {
        ends[nth]->raise();
        settle();
    }
    void settle() { conductor::test::settle(io); }
    void wait(std::chrono::milliseconds length) { conductor::test::pass(io, length); }

    conductor::test::VirtualTime time;
    asio::io_context io;
    Turns turns;
    std::vector<std::unique_ptr<aio::Event>> ends;
    std::string inside;
};

}  // namespace

TEST_CASE("turns: one at a time, in the order in which they came, and at a distance from one that was waited for") {
    Line line;
    for (const char name : std::string{"abc"}) line.come(name);
    CHECK(line.inside == "a");
    line.leave(0);
    line.come('d');  // does not overtake
    CHECK(line.inside.empty());
    line.wait(Turns::distance - 1ms);
    CHECK(line.inside.empty());
    line.wait(1ms);
    CHECK(line.inside == "b");
    line.leave(1);  // c has waited long enough by now, and comes right behind
    CHECK(line.inside == "c");
    line.leave(2);
    CHECK(line.inside == "d");
    line.leave(3);
    line.come('e');  // nobody was there
    CHECK(line.inside == "e");
}

TEST_CASE("turns: who has waited long shares one with others") {
    Line line;
    for (const char name : std::string{"abcdefg"}) line.come(name);
    line.wait(Turns::longest);
    line.leave(0);
    CHECK(line.inside == "bcde");
    line.leave(2);
    CHECK(line.inside == "bdef");
    for (const std::size_t nth : {1U, 3U, 4U, 5U}) line.leave(nth);
    CHECK(line.inside == "g");
}

TEST_CASE("turns: one whose commit takes long lets the others in, a moment apart") {
    Line line{1ms};
    for (const char name : std::string{"abcd"}) line.come(name);
    for (const char* next : {"ab", "abc", "abcd"}) {
        line.wait(1ms);
        CHECK(line.inside == next);
    }
    line.leave(0);
    line.come('e');  // three are still inside
    CHECK(line.inside == "bcd");
    line.wait(1ms);
    CHECK(line.inside == "bcde");
}

TEST_CASE("turns: a wait that was overtaken lets nobody in") {
    Line line{3ms};
    for (const char name : std::string{"ab"}) line.come(name);
    line.wait(Turns::distance);
    line.leave(0);
    CHECK(line.inside == "b");
    line.come('c');
    line.wait(2ms);  // 4 ms after b came, 2 after c
    CHECK(line.inside == "b");
    line.wait(1ms);
    CHECK(line.inside == "bc");
}

TEST_CASE("turns: one that is cancelled in line does not stand in the way") {
    Line line;
    line.come('a');
    asio::cancellation_signal stop;
    line.come('b', stop.slot());
    line.come('c');
    stop.emit(asio::cancellation_type::terminal);
    line.settle();
    line.leave(0);
    line.wait(Turns::distance);
    CHECK(line.inside == "c");
}

TEST_CASE("turns: who is in line or inside may be destroyed with the loop") {
    auto line = std::make_unique<Line>();
    for (const char name : std::string{"abcdef"}) line->come(name);
    line.reset();
}

namespace {

aio::awaitable<void> end_and_stay(Turns& turns, aio::Event& leaves) {
    Turns::Turn turn = co_await turns.take();
    turn.end();
    turn.end();
    co_await leaves.wait();
}

}  // namespace

TEST_CASE("turns: one that has ended its turn is in nobody's way while it stays") {
    Line line;
    aio::Event leaves{line.io.get_executor()};
    asio::co_spawn(line.io, end_and_stay(line.turns, leaves), asio::detached);
    line.settle();
    for (const char name : std::string{"ab"}) line.come(name);
    CHECK(line.inside == "a");
    leaves.raise();
    line.settle();
    CHECK(line.inside == "a");
    line.leave(0);
    line.wait(Turns::distance);
    CHECK(line.inside == "b");
}
