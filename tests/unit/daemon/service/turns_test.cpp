// Who gets in when many come at once, and that nobody waits for one that is slow.
#include "daemon/service/turns.hpp"

#include <doctest/doctest.h>

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/io_context.hpp>
#include <string>

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
    void settle() {
        io.restart();
        io.poll();
    }
    /// Waits until it looks like this.
    bool becomes(const std::string& expected) {
        io.restart();
        while (inside != expected && io.run_one_for(10s) > 0) {}
        return inside == expected;
    }

    asio::io_context io;
    Turns turns;
    std::vector<std::unique_ptr<aio::Event>> ends;
    std::string inside;
};

}  // namespace

TEST_CASE("turns: some at a time, in the order in which they came") {
    Line line;
    for (const char name : std::string{"abcdefg"}) line.come(name);
    CHECK(line.inside == "abcd");
    line.leave(1);
    CHECK(line.inside == "acde");
    line.come('h');  // does not overtake
    CHECK(line.inside == "acde");
    line.leave(0);
    line.leave(2);
    line.leave(3);
    CHECK(line.inside == "efgh");
    for (const std::size_t nth : {4U, 5U, 6U, 7U}) line.leave(nth);
    CHECK(line.inside.empty());
}

TEST_CASE("turns: one whose commit takes long lets the others in, a moment apart") {
    Line line{1ms};
    for (const char name : std::string{"abcdefg"}) line.come(name);
    for (const char* next : {"abcde", "abcdef", "abcdefg"}) CHECK(line.becomes(next));
    line.leave(0);
    line.come('h');  // six are still inside
    CHECK(line.becomes("bcdefgh"));
}

TEST_CASE("turns: one that is cancelled in line does not stand in the way") {
    Line line;
    for (const char name : std::string{"abcd"}) line.come(name);
    asio::cancellation_signal stop;
    line.come('e', stop.slot());
    line.come('f');
    stop.emit(asio::cancellation_type::terminal);
    line.settle();
    line.leave(0);
    CHECK(line.inside == "bcdf");
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
    for (const char name : std::string{"abcde"}) line.come(name);
    CHECK(line.inside == "abcd");
    leaves.raise();
    line.settle();
    CHECK(line.inside == "abcd");
    line.leave(0);
    CHECK(line.inside == "bcde");
}
