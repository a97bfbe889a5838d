#include "sync/client/doorbell.hpp"

#include <algorithm>

#include "sync/client/websocket.hpp"
#include "sync/plan/errors.hpp"

namespace conductor::sync {

using std::chrono::milliseconds;

namespace {

constexpr milliseconds first_pause{1'000}, longest_pause{60'000};

/// A value in a query string (RFC 3986 §2.3).
std::string in_query(std::string_view text) {
    static constexpr std::string_view hex = "0123456789ABCDEF";
    std::string out;
    for (const char c : text) {
        const auto octet = static_cast<unsigned char>(c);
        const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                           std::string_view{"-._~"}.find(c) != std::string_view::npos;
        if (plain)
            out += c;
        else
            out.append({'%', hex[octet >> 4], hex[octet & 15]});
    }
    return out;
}

}  // namespace

Doorbell::Doorbell(aio::Executor ex, Log log, Client& client, std::function<void()> rung, RealtimeTimes times)
    : ex_{ex}, log_{std::move(log)}, client_{client}, rung_{std::move(rung)}, times_{times}, wake_{std::make_shared<aio::Event>(ex)} {}

void Doorbell::stop() {
    stopping_ = true;
    wake_->raise();
}

void Doorbell::listen(std::vector<std::string> topics) {
    if (topics == topics_) return;
    topics_ = std::move(topics);
    renew();
}

void Doorbell::renew() {
    renewed_ = true;
    wake_->raise();
}

aio::awaitable<void> Doorbell::run() {
    int failures = 0;
    while (!stopping_) {
        renewed_ = false;
        if (topics_.empty()) {
            co_await wake_->wait();
            continue;
        }
        joined_at_ = Instant::max();
        const auto heard = co_await hear();
        const bool served = joined_at_ != Instant::max() && BootClock::now() - joined_at_ >= times_.heartbeat;
        status_.joined = false;
        if (heard) continue;  // it was told to end
        lost_for(heard.error().text());
        failures = served ? 0 : failures + 1;
        // jitter, so that boxes do not come back all at once
        const auto most = std::min<milliseconds>(first_pause * (1 << std::min(failures, 6)), longest_pause);
        const auto wait = milliseconds{std::uniform_int_distribution<std::int64_t>{most.count() / 10, most.count()}(rng_)};
        const Instant until = BootClock::now() + wait;
        while (listens() && BootClock::now() < until) co_await wake_->wait_until(until);
        if (renewed_) failures = 0;
    }
}

void Doorbell::lost_for(const std::string& why) {
    if (why == status_.last_error) return;
    status_.last_error = why;
    if (why.empty())
        log_.notice("doorbell-heard", {{"connection", status_.connections}});
    else
        log_.notice("doorbell-lost", {{"why", why}});
}

/// Sends and rings what the machine says; false when the line is dead.
bool Doorbell::perform(Websocket& socket, RealtimeMachine::Todo todo) {
    for (auto& frame : todo.frames) socket.send(std::move(frame));
    if (todo.ring) {
        ++status_.rings;
        rung_();
    }
    return !todo.dead;
}

/// Renews the token where it must be, and tells the channels. False: it could not be.
aio::awaitable<bool> Doorbell::keep_token(RealtimeMachine& machine, Websocket& socket, std::string& token, bool refused) {
    std::string bad;
    if (refused) bad = token;
    auto access = co_await client_.access(std::move(bad));
    if (!access) co_return false;
    token = std::move(access->token);
    perform(socket, machine.token(BootClock::now(), token));
    co_return true;
}

/// One connection, from its opening to its end. A value: it ended because it was told to.
aio::awaitable<Result<void>> Doorbell::hear() {
    std::string none_refused;
    auto access = co_await client_.access(std::move(none_refused));
    if (!access) co_return access.error();
    if (!listens()) co_return Result<void>{};
    ++status_.connections;
    std::function<void()> news = [wake = wake_] { wake->raise(); };
    const std::string target = "/realtime/v1/websocket?apikey=" + in_query(access->key) + "&vsn=2.0.0";
    const Websocket::Limits limits{};
    auto opened = co_await Websocket::open(client_.http(), ex_, access->url, target, std::move(news), limits);
    if (!opened) co_return opened.error();
    // whatever ends this coroutine closes the connection
    struct Closing {
        std::shared_ptr<Websocket> socket;
        ~Closing() { socket->close(); }
    };
    const Closing closing{*opened};
    Websocket& socket = *closing.socket;

    RealtimeMachine machine{rng_(), times_};
    std::string token = access->token;
    const std::uint64_t malformed_before = status_.malformed, dropped_before = status_.dropped;
    bool alive = perform(socket, machine.connected(BootClock::now(), topics_, token));
    bool refused = false;
    Instant last_refusal = BootClock::now() - times_.heartbeat, next_token = BootClock::now() + times_.heartbeat;
    while (alive && listens()) {
        while (alive && !socket.frames.empty()) {
            const auto frame = std::move(socket.frames.front());
            socket.frames.pop_front();
            auto todo = frame.binary ? machine.binary(BootClock::now(), frame.octets) : machine.text(BootClock::now(), frame.octets);
            if (todo.fresh_token && !refused) {  // at once, but a server that refuses every token is not asked without a pause
                refused = true;
                next_token = last_refusal + times_.heartbeat;
                last_refusal = BootClock::now();
            }
            alive = perform(socket, std::move(todo));
        }
        status_.malformed = malformed_before + machine.malformed();
        status_.dropped = dropped_before + socket.dropped;
        status_.joined = machine.joined();
        if (status_.joined) {
            joined_at_ = std::min(joined_at_, BootClock::now());
            lost_for({});
        } else if (!machine.refusal().empty()) {
            lost_for(machine.refusal());
        }
        if (!socket.ended.empty()) co_return fail(SyncErrc::transport, socket.ended);
        if (BootClock::now() >= next_token) {
            const bool renewed = co_await keep_token(machine, socket, token, refused);
            refused = refused && !renewed;
            next_token = BootClock::now() + times_.heartbeat;
        }
        if (socket.frames.empty()) {
            const Instant until = std::min(machine.next_tick(), next_token);
            co_await wake_->wait_until(until);
        }
        alive = alive && perform(socket, machine.tick(BootClock::now()));
    }
    status_.dropped = dropped_before + socket.dropped;
    if (!alive) co_return fail(SyncErrc::transport, "no answer to a heartbeat");
    co_return Result<void>{};
}

}  // namespace conductor::sync
