#include "sync/plan/realtime.hpp"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

namespace conductor::sync {

using nlohmann::json;
using std::chrono::milliseconds;

namespace {

constexpr std::string_view prefix = "realtime:";
constexpr std::array<milliseconds, 4> rejoin_steps{milliseconds{1'000}, milliseconds{2'000}, milliseconds{5'000}, milliseconds{10'000}};

bool holds(std::string_view text, std::string_view word) {
    const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
    return std::ranges::search(text, word, [&](char a, char b) { return lower(a) == lower(b); }).begin() != text.end();
}

std::string frame(const json& join_ref, const std::string& ref, const std::string& topic, const char* event, json payload) {
    const json out = json::array({join_ref, ref, topic, event, std::move(payload)});
    return out.dump(-1, ' ', false, json::error_handler_t::replace);
}

std::string text_of(const json& object, const char* name) {
    if (!object.is_object()) return {};
    const auto it = object.find(name);
    return it != object.end() && it->is_string() ? it->get<std::string>() : std::string{};
}

std::string text_of(const json& value) {
    return value.is_string() ? value.get<std::string>() : std::string{};
}

}  // namespace

JoinRefusal judge_join(std::string_view reason) {
    for (const char* word : {"jwt", "token", "expired", "signature"})
        if (holds(reason, word)) return JoinRefusal::token;
    for (const char* word : {"unauthorized", "permission", "privateonly", "disabled", "topicname", "suspend"})
        if (holds(reason, word)) return JoinRefusal::permanent;
    return JoinRefusal::busy;
}

RealtimeMachine::Channel* RealtimeMachine::find(std::string_view topic) {
    const auto it = std::ranges::find(channels_, topic, &Channel::topic);
    return it == channels_.end() ? nullptr : &*it;
}

bool RealtimeMachine::joined() const {
    return !channels_.empty() && std::ranges::all_of(channels_, [](const Channel& c) { return c.state == State::joined; });
}

Instant RealtimeMachine::next_tick() const {
    if (channels_.empty()) return Instant::max();
    Instant next = std::min(next_heartbeat_, ring_again_);
    for (const Channel& c : channels_)
        if (c.state == State::joining || c.state == State::waiting) next = std::min(next, c.until);
    return next;
}

void RealtimeMachine::join(Channel& channel, Instant now, Todo& todo) {
    channel.state = State::joining;
    channel.join_ref = next_ref();
    channel.until = now + times_.join;
    const json payload = {{"config",
                           {{"private", true},
                            {"broadcast", {{"ack", false}, {"self", false}, {"replication_ready", true}}},
                            {"presence", {{"enabled", false}}},
                            {"postgres_changes", json::array()}}},
                          {"access_token", token_}};
    todo.frames.push_back(frame(channel.join_ref, channel.join_ref, channel.topic, "phx_join", payload));
}

void RealtimeMachine::rejoin_later(Channel& channel, Instant now, milliseconds least) {
    const auto step = rejoin_steps[static_cast<std::size_t>(std::min(channel.failures, 3))];
    ++channel.failures;
    channel.state = State::waiting;
    const double random = std::uniform_real_distribution<double>{0.5, 1.0}(rng_);  // boxes must not come all at once
    const auto wait = std::max(step, least);
    channel.until =
        now + milliseconds{static_cast<std::int64_t>(static_cast<double>(wait.count()) * (least.count() > 0 ? 0.5 + random : random))};
}

RealtimeMachine::Todo RealtimeMachine::connected(Instant now, std::vector<std::string> topics, std::string token) {
    Todo todo;
    token_ = std::move(token);
    channels_.clear();
    refusal_.clear();
    heartbeat_ref_.clear();
    next_heartbeat_ = now + times_.heartbeat;
    ring_again_ = Instant::max();
    for (auto& topic : topics) channels_.push_back({.topic = std::string{prefix} + topic, .join_ref = {}});
    for (Channel& channel : channels_) join(channel, now, todo);
    return todo;
}

void RealtimeMachine::replied(Channel& channel, Instant now, bool ok, std::string_view reason, Todo& todo) {
    if (ok) {
        channel.state = State::joined;
        channel.until = now + times_.heartbeat;
        if (joined()) refusal_.clear();
        if (channel.ended_soon > 1) return;  // a fetch for each of its joins would be many: it has to stay first
        todo.ring = true;                    // what was written while nobody listened
        ring_again_ = now + times_.again;
        return;
    }
    refusal_ = reason.substr(0, 200);
    switch (judge_join(reason)) {
        case JoinRefusal::token:
            channel.state = State::waiting_for_token;
            todo.fresh_token = true;
            break;
        case JoinRefusal::busy: rejoin_later(channel, now, times_.busy); break;
        case JoinRefusal::permanent: rejoin_later(channel, now, times_.permanent); break;
    }
}

void RealtimeMachine::event(Channel& channel, Instant now, std::string_view event, bool error, std::string_view message, Todo& todo) {
    if (event == "broadcast") {
        todo.ring = channel.state == State::joined;
    } else if (event == "system") {
        // an error is followed by phx_close; ok: from now on what is written is heard
        if (!error) todo.ring = channel.state == State::joined;
        if (error) refusal_ = message.substr(0, 200);
        if (error && judge_join(message) == JoinRefusal::token) {
            channel.state = State::waiting_for_token;
            todo.fresh_token = true;
        }
    } else if (event == "phx_error" || event == "phx_close") {
        if (channel.state == State::waiting_for_token || channel.state == State::waiting) return;
        if (channel.state == State::joined) ++channel.ended_soon;
        rejoin_later(channel, now);
    }
}

RealtimeMachine::Todo RealtimeMachine::text(Instant now, std::string_view text) {
    Todo todo;
    const json m = json::parse(text, nullptr, false);
    if (!m.is_array() || m.size() != 5 || !m[2].is_string() || !m[3].is_string()) {
        ++malformed_;
        return todo;
    }
    const auto join_ref = text_of(m[0]), ref = text_of(m[1]), topic = m[2].get<std::string>(), name = m[3].get<std::string>();
    const json& payload = m[4];
    if (topic == "phoenix") {
        if (name == "phx_reply" && !ref.empty() && ref == heartbeat_ref_) heartbeat_ref_.clear();
        return todo;
    }
    Channel* channel = find(topic);
    if (!channel || (!join_ref.empty() && join_ref != channel->join_ref)) return todo;  // of a join before this one
    if (name == "phx_reply") {
        if (ref != channel->join_ref || channel->state != State::joining) return todo;
        const json& response = payload.is_object() && payload.contains("response") ? payload["response"] : payload;
        replied(*channel, now, text_of(payload, "status") == "ok", text_of(response, "reason"), todo);
    } else {
        event(*channel, now, name, text_of(payload, "status") == "error", text_of(payload, "message"), todo);
    }
    if (todo.ring) ++rings_;
    return todo;
}

/// 0x04, the lengths of topic, event and meta, the encoding; then topic, event, meta, payload.
RealtimeMachine::Todo RealtimeMachine::binary(Instant now, std::string_view frame) {
    Todo todo;
    const auto octet = [&](std::size_t at) { return static_cast<std::size_t>(static_cast<unsigned char>(frame[at])); };
    if (frame.size() < 5 || frame.size() < 5 + octet(1) + octet(2) + octet(3)) {
        ++malformed_;
        return todo;
    }
    if (octet(0) != 4) return todo;  // another kind: not for us
    if (Channel* channel = find(frame.substr(5, octet(1)))) event(*channel, now, "broadcast", false, {}, todo);
    if (todo.ring) ++rings_;
    return todo;
}

RealtimeMachine::Todo RealtimeMachine::tick(Instant now) {
    Todo todo;
    if (channels_.empty()) return todo;
    if (now >= ring_again_) {
        ring_again_ = Instant::max();
        todo.ring = true;
    }
    if (now >= next_heartbeat_) {
        if (!heartbeat_ref_.empty()) {
            todo.dead = true;
            return todo;
        }
        heartbeat_ref_ = next_ref();
        next_heartbeat_ = now + times_.heartbeat;
        todo.frames.push_back(frame(nullptr, heartbeat_ref_, "phoenix", "heartbeat", json::object()));
    }
    for (Channel& channel : channels_) {
        if (now < channel.until) continue;
        if (channel.state == State::waiting)
            join(channel, now, todo);
        else if (channel.state == State::joining)
            rejoin_later(channel, now);
        else if (channel.state == State::joined) {
            todo.ring = todo.ring || channel.ended_soon > 1;
            channel.failures = channel.ended_soon = 0;
        }
    }
    return todo;
}

RealtimeMachine::Todo RealtimeMachine::token(Instant now, std::string token) {
    Todo todo;
    const bool same = token == token_;
    token_ = std::move(token);
    for (Channel& channel : channels_) {
        if (channel.state == State::waiting_for_token) {
            // the same one again will be refused again
            if (same)
                rejoin_later(channel, now, times_.busy);
            else
                join(channel, now, todo);
        } else if (channel.state == State::joined && !same) {
            todo.frames.push_back(frame(channel.join_ref, next_ref(), channel.topic, "access_token", {{"access_token", token_}}));
        }
    }
    return todo;
}

}  // namespace conductor::sync
