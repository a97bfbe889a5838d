#pragma once
// A backend of values: it keeps messages in a vector and remembers what it was asked.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/api/backend.hpp"
#include "daemon/api/message_json.hpp"

namespace conductor::api {

class FakeBackend : public Backend {
public:
    std::vector<Message> messages;
    std::vector<std::string> calls;   ///< "cancel 3 uid:0"
    std::vector<std::size_t> groups;  ///< sizes of submit_all
    std::optional<NewMessage> last;   ///< of submit
    ListQuery last_query;
    ClaimRequest last_claim;
    bool healthy = true;
    bool throws = false;

    Answer<Submitted> take(const NewMessage& m, const Actor& actor) {
        if (throws) throw std::runtime_error("disk on fire");
        last = m;
        if (m.to == "bad") return Refusal{422, "bad-number", "to is no phone number", "to"};
        if (m.to == "full") return Refusal{503, "queue-full", "the queue is full"};
        for (const Message& old : messages) {
            if (!m.key || old.key != *m.key) continue;
            if (old.content != m.text) return Refusal{409, "key-conflict", "this key has other content", "key", old.id};
            return Submitted{old, false};
        }
        Message made;
        made.id = MessageId{static_cast<std::int64_t>(messages.size()) + 1};
        made.key = m.key.value_or("made-" + std::to_string(made.id.value));
        made.phone_number = m.to;
        made.content = m.text;
        made.timestamp = from_ms(1'700'000'000'000);
        messages.push_back(made);
        calls.push_back("submit " + actor.name);
        return Submitted{made, true};
    }
    Answer<Message> find(MessageId id) const {
        for (const Message& m : messages)
            if (m.id == id) return m;
        return Refusal{404, "not-found", "no such message", "id"};
    }
    Answer<Message> change(const char* what, MessageId id, const Actor& actor) {
        calls.push_back(std::string{what} + ' ' + std::to_string(id.value) + ' ' + actor.name);
        auto found = find(id);
        if (found && found->status == MessageStatus::sent) return Refusal{409, "state", "it was sent already"};
        return found;
    }

    aio::awaitable<Answer<Submitted>> submit(NewMessage m, Actor actor) override { co_return take(m, actor); }
    aio::awaitable<std::vector<Answer<Submitted>>> submit_all(std::vector<NewMessage> all, Actor actor) override {
        groups.push_back(all.size());
        std::vector<Answer<Submitted>> out;
        for (const NewMessage& m : all) out.push_back(take(m, actor));
        co_return out;
    }
    aio::awaitable<Answer<Message>> message(MessageId id) override { co_return find(id); }
    aio::awaitable<Answer<nlohmann::json>> explain(MessageId id) override {
        const auto found = find(id);
        if (!found) co_return found.error();
        nlohmann::json out;
        out["message"] = to_json(*found);
        co_return out;
    }
    aio::awaitable<Answer<Page>> list(ListQuery query) override {
        last_query = query;
        Page page;
        page.messages = messages;
        std::reverse(page.messages.begin(), page.messages.end());
        if (page.messages.size() > static_cast<std::size_t>(query.limit)) {
            page.messages.resize(static_cast<std::size_t>(query.limit));
            page.next = page.messages.back().id;
        }
        co_return page;
    }
    aio::awaitable<Answer<Message>> cancel(MessageId id, Actor actor) override { co_return change("cancel", id, actor); }
    aio::awaitable<Answer<Message>> retry(MessageId id, Actor actor) override { co_return change("retry", id, actor); }
    aio::awaitable<Answer<Message>> mark_read(MessageId id, Actor actor) override { co_return change("read", id, actor); }
    aio::awaitable<Answer<Page>> claim_inbox(ClaimRequest request) override {
        last_claim = request;
        co_return Page{messages, {}};
    }
    aio::awaitable<Answer<void>> pause(bool paused, Actor actor, std::string campaign) override {
        calls.push_back((paused ? "pause " : "resume ") + (campaign.empty() ? "" : campaign + " ") + actor.name);
        co_return Answer<void>{};
    }
    nlohmann::json modems() const override { return nlohmann::json::array({{{"index", 0}, {"state", "ready"}}}); }
    Answer<nlohmann::json> modem(ModemIndex index) const override {
        if (index != 0) return Refusal{404, "not-found", "no such modem", "index"};
        return modems()[0];
    }
    aio::awaitable<Answer<nlohmann::json>> modem_call(std::string what, ModemIndex index, std::string argument, Actor actor) {
        calls.push_back(what + ' ' + std::to_string(index) + ' ' + argument + ' ' + actor.name);
        co_return modem(index);
    }
    aio::awaitable<Answer<nlohmann::json>> modem_action(ModemIndex index, std::string action, Actor actor) override {
        return modem_call("action", index, action, actor);
    }
    Answer<nlohmann::json> preview(std::string_view text) const override {
        nlohmann::json out = {{"segments", 1}, {"encoding", "gsm7"}, {"text", text}};
        return out;
    }
    aio::awaitable<Answer<nlohmann::json>> modem_at(ModemIndex index, std::string command, Actor actor) override {
        if (command == "+EXAMPLE") return no_such_command();
        return modem_call("at", index, command, actor);
    }
    static aio::awaitable<Answer<nlohmann::json>> no_such_command() {
        nlohmann::json body = {{"lines", nlohmann::json::array()}, {"result", "ERROR"}};
        co_return body;
    }
    aio::awaitable<Answer<nlohmann::json>> modem_ussd(ModemIndex index, std::string code, Actor actor) override {
        return modem_call("ussd", index, code, actor);
    }
    Answer<std::string> modem_trace(ModemIndex) const override { return std::string{"> AT\n< OK\n"}; }
    aio::awaitable<Answer<nlohmann::json>> discovery(bool ask, Actor actor) override {
        calls.push_back(std::string{"discovery "} + (ask ? "ask " : "look ") + actor.name);
        nlohmann::json port = {{"port", "/dev/ttyUSB2"},
                               {"path", "/dev/ttyUSB2"},
                               {"answer", "at"},
                               {"model", "EX100"},
                               {"imei", "350000000000017"},
                               {"score", 95},
                               {"iccid", ""},
                               {"modem_index", nullptr},
                               {"suggestion", "[[modem]]\n"},
                               {"meant", nullptr}};
        nlohmann::json out;
        out["ports"] = nlohmann::json::array();
        out["ports"].push_back(std::move(port));
        out["hints"] = nlohmann::json::array();
        co_return out;
    }
    aio::awaitable<Answer<nlohmann::json>> probe_port(std::string name, Actor actor) override {
        calls.push_back("probe " + name + ' ' + actor.name);
        if (name != "/dev/ttyUSB2") co_return Refusal{404, "not-found", "port: no such device now (" + name + ")", "port"};
        nlohmann::json out = {{"port", name}, {"answer", "at"}, {"imei", "350000000000017"}};
        out["findings"] = nlohmann::json::array();
        out["findings"].push_back({{"topic", "signal"}, {"command", "AT+CSQ"}, {"lines", {"+CSQ: 20,99"}}, {"result", "OK"}});
        co_return out;
    }
    aio::awaitable<Answer<std::vector<OptOut>>> opt_outs() override {
        std::vector<OptOut> all(1);
        all[0] = {"+15550100123", true, "STOP", "uid:0", from_ms(0)};
        co_return all;
    }
    aio::awaitable<Answer<OptOut>> set_opt_out(std::string number, bool active, std::string reason, Actor actor) override {
        calls.push_back((active ? "opt-out " : "opt-in ") + number + ' ' + reason + ' ' + actor.name);
        co_return OptOut{number, active, reason, actor.name, from_ms(0)};
    }
    aio::awaitable<Answer<nlohmann::json>> consent(std::string number) override {
        nlohmann::json out = {{"phone_number", number}};
        co_return out;
    }
    aio::awaitable<Answer<nlohmann::json>> set_consent(std::string number, nlohmann::json body, Actor actor) override {
        calls.push_back("consent " + number + ' ' + body.dump() + ' ' + actor.name);
        co_return body;
    }
    aio::awaitable<Answer<nlohmann::json>> status() override {
        nlohmann::json out = {{"queued", messages.size()}};
        co_return out;
    }
    aio::awaitable<Answer<nlohmann::json>> release_database(Actor) override {
        nlohmann::json body = {{"released", 3}};
        co_return body;
    }
    aio::awaitable<Answer<nlohmann::json>> sync_status() override { co_return Refusal{409, "no-sync", "no [supabase] is configured"}; }
    aio::awaitable<Answer<nlohmann::json>> sync_now(Actor actor) override {
        calls.push_back("sync " + actor.name);
        nlohmann::json out = {{"ok", true}};
        co_return out;
    }
    nlohmann::json health() const override { return {{"ok", healthy}}; }
    std::string metrics() const override { return "conductor_up 1\n"; }
};

}  // namespace conductor::api
