#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/dispatch/reasons.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/gateway.hpp"
#include "daemon/service/sync_service.hpp"
#include "modem/port/recorder.hpp"

namespace conductor::service {

using api::Actor;
using api::Answer;
using api::Refusal;
using nlohmann::json;
using store::Tx;

namespace {

/// Of each kind: the thread of the database has more to do than to count a million rows for whoever asks.
constexpr std::int64_t counted_by_status = 20'000;

json optional_int(std::optional<int> v) {
    return v ? json(*v) : json(nullptr);
}
json optional_time(std::optional<WallTime> t) {
    return t ? json(to_rfc3339(*t)) : json(nullptr);
}

Refusal no_such_modem(ModemIndex index) {
    return {404, "not-found", fmt::format("There is no modem {} in the configuration.", index)};
}

}  // namespace

ModemService* Gateway::find_modem(ModemIndex index) const {
    const auto it = std::ranges::find_if(modems_, [index](const auto& m) { return m->index() == index; });
    return it == modems_.end() ? nullptr : it->get();
}

json Gateway::describe(const ModemService& modem) const {
    const auto& s = modem.status();
    json storage = json::array();
    for (const auto& memory : s.storage)
        storage.push_back({{"memory", memory.memory},
                           {"used", memory.used},
                           {"total", memory.total},
                           {"stuck", memory.stuck},
                           {"foreign", memory.foreign},
                           {"alarm", memory.full()   ? "full"
                                     : memory.high() ? "high"
                                                     : ""}});
    json settings = json::array();
    for (const auto& one : s.settings)
        settings.push_back({{"name", one.name},
                            {"wanted", one.wanted.empty() ? json(nullptr) : json(one.wanted)},
                            {"found", one.found},
                            {"now", one.now},
                            {"held", one.held}});
    json advice = json::array();
    for (const auto& one : modem.advice()) advice.push_back({{"code", one.code}, {"text", one.text}});
    json out = {{"index", modem.index()},
                {"state", driver::to_string(s.state)},
                {"reason", s.reason},
                {"reason_text", s.reason_text.empty() && modem.paused()
                                    ? fmt::format("It is paused; conductorctl queue resume --modem {} ends that.", modem.index())
                                    : s.reason_text},
                {"enabled", modem.enabled()},
                {"paused", modem.paused()},
                {"port", s.port},
                {"usb", s.usb},
                {"profile", s.profile},
                {"report_routing", s.routing},
                {"manufacturer", s.identity.manufacturer},
                {"model", s.identity.model},
                {"revision", s.identity.revision},
                {"imei", s.identity.imei},
                {"iccid", s.identity.iccid},
                {"imsi", s.identity.imsi},
                {"number", s.identity.own_number},
                {"operator", s.operator_name},
                {"registration", s.registration},
                {"signal_dbm", optional_int(s.rssi_dbm)},
                {"storage", std::move(storage)},
                {"one_store", s.one_store},
                {"settings", std::move(settings)},
                {"smsc", s.smsc},
                {"ussd_session", s.ussd_open ? "open" : "closed"},
                {"calls", s.calls},
                {"journal", s.journal},
                {"journal_reason", s.journal_reason},
                {"rung", s.rung},
                {"resting", modem.resting()},
                {"opened", s.opened},
                {"resets", s.resets},
                {"restarts_last_hour", s.restarts_last_hour},
                {"brown_outs", s.brown_outs},
                {"advice", std::move(advice)},
                {"boots_seen", s.boots_seen},
                {"acknowledged", s.acknowledged},
                {"acknowledgements_missed", s.acknowledgements_missed},
                {"urcs_dropped", s.urcs_dropped}};
    out["balance"] = nullptr;
    if (!modem.config().balance.ussd.empty()) {
        const auto& b = modem.balance();
        const auto time = [](std::int64_t ms) { return ms == 0 ? json(nullptr) : json(to_rfc3339(from_ms(ms))); };
        out["balance"] = {{"amount", b.amount ? json(*b.amount) : json(nullptr)},
                          {"currency", modem.config().currency},
                          {"low", modem.balance_low()},
                          {"failures", b.failures}};
        out["balance"]["read_at"] = time(b.read_ms);
        out["balance"]["asked_at"] = time(b.asked_ms);
    }
    out["state_seconds"] = std::chrono::duration_cast<std::chrono::seconds>(context_.clock.now() - s.since).count();
    return out;
}

Answer<json> Gateway::preview(std::string_view text) const {
    const auto made = sms::segment(text, segment_options(context_.env->config, MessageId{}));
    if (!made) {
        const bool too_long = made.error().is(sms::SmsErrc::too_long);
        return Refusal{422, too_long ? "too-many-segments" : "bad-text", made.error().text(), "text"};
    }
    json replaced = json::array();
    for (const auto& one : made->replaced) replaced.push_back({{"from", one.from}, {"to", one.to}, {"count", one.count}});
    json body = {{"encoding", made->alphabet == pdu::Alphabet::ucs2 ? "ucs2" : "gsm7"},
                 {"segments", made->segments.size()},
                 {"units", made->units},
                 {"units_per_segment", made->units_per_segment},
                 {"text", made->text}};
    body["replaced"] = std::move(replaced);
    return body;
}

json Gateway::modems() const {
    json all = json::array();
    for (const auto& modem : modems_) all.push_back(describe(*modem));
    return all;
}

Answer<json> Gateway::modem(ModemIndex index) const {
    const auto* found = find_modem(index);
    if (!found) return no_such_modem(index);
    return describe(*found);
}

aio::awaitable<Answer<json>> Gateway::modem_action(ModemIndex index, std::string action, Actor actor) {
    auto* found = find_modem(index);
    if (!found) co_return no_such_modem(index);
    Result<void> done;
    if (action == "enable" || action == "disable")
        done = co_await found->enable(action == "enable", actor.name);
    else if (action == "pause" || action == "resume")
        done = co_await found->pause(action == "pause", actor.name);
    else if (action == "accept-sim")
        done = co_await found->accept_sim(actor.name);
    else if (action == "reset") {
        if (!found->modem().request_reset())
            co_return Refusal{503, "modem-not-open", "The modem is not open, so it cannot be reset; it is looked for meanwhile."};
    } else
        co_return Refusal{404, "not-found", fmt::format("A modem cannot be told to \"{}\".", action)};
    if (!done) co_return unavailable(done.error());
    if (action != "disable" && action != "pause" && action != "resume") found->end_rest();
    co_return describe(*found);
}

Refusal modem_refusal(const Error& error) {
    using at::AtErrc;
    std::string text = port::without_secrets(error.text());
    if (error.is(AtErrc::forbidden) || error.is(AtErrc::refused)) return {409, "modem-refused", std::move(text)};
    if (error.is(AtErrc::timeout)) return {504, "no-answer", std::move(text)};
    if (error.is(AtErrc::malformed)) return {502, "bad-answer", std::move(text)};
    return {503, "modem-not-open", std::move(text)};
}

aio::awaitable<Answer<json>> Gateway::modem_at(ModemIndex index, std::string command, Actor actor) {
    auto* found = find_modem(index);
    if (!found) co_return no_such_modem(index);
    const WallTime now = context_.record_time();
    auto job = [actor = std::move(actor), index, command, now](Tx& tx) {
        store::audit(tx, now, actor.name, "at", std::to_string(index), port::without_secrets(command));
    };
    auto noted = co_await context_.store.run(job);
    if (!noted) co_return unavailable(noted.error());
    auto answer = co_await found->modem().command(std::move(command));
    if (!answer) co_return modem_refusal(answer.error());
    json body = {{"lines", answer->lines}, {"result", answer->final_result}};
    co_return body;
}

aio::awaitable<Answer<json>> Gateway::modem_ussd(ModemIndex index, std::string code, Actor actor) {
    auto* found = find_modem(index);
    if (!found) co_return no_such_modem(index);
    const WallTime now = context_.record_time();
    auto job = [actor = std::move(actor), index, code, now](Tx& tx) {
        store::audit(tx, now, actor.name, "ussd", std::to_string(index), code);
    };
    auto noted = co_await context_.store.run(job);
    if (!noted) co_return unavailable(noted.error());
    auto answer = co_await found->modem().ussd(std::move(code));
    if (!answer) co_return modem_refusal(answer.error());
    json body = {{"text", answer->text}, {"status", answer->status}, {"session", answer->open ? "open" : "closed"}};
    if (answer->open) body["session_seconds"] = driver::UssdAnswer::session_limit.count();
    co_return body;
}

Answer<std::string> Gateway::modem_trace(ModemIndex index) const {
    auto* found = find_modem(index);
    if (!found) return no_such_modem(index);
    return found->modem().trace();
}

BoxView Gateway::view(std::optional<WallTime> now) const {
    BoxView box{.modems = {}, .paused = shared_.paused, .clock_sure = now.has_value(), .trouble = {}, .granted = shared_.granted};
    if (const auto& trouble = context_.store.trouble()) box.trouble = trouble_word(*trouble);
    for (const auto& modem : modems_) {
        const auto state = modem->status().state;
        const bool up = state == driver::ModemState::ready || state == driver::ModemState::sending;
        box.modems.push_back({.index = modem->index(),
                              .enabled = modem->enabled(),
                              .paused = modem->paused(),
                              .up = up,
                              .reason = modem->status().reason,
                              .resting = modem->resting(),
                              .next_slot = now ? std::optional{modem->next_slot(*now)} : std::nullopt});
    }
    return box;
}

Message Gateway::show(store::MessageRow row) const {
    const auto now = context_.wall();
    if (row.status == MessageStatus::queued) name_reason(*context_.env, row, view(now), now.value_or(WallTime{}));
    return present(*context_.env, std::move(row));
}

aio::awaitable<Answer<json>> Gateway::explain(MessageId id) {
    const auto sure = context_.wall();
    const WallTime now = sure.value_or(WallTime{});
    auto job = [env = context_.env, box = view(sure), id, now](Tx& tx) -> std::optional<json> {
        const auto row = store::find(tx, id);
        if (!row) return std::nullopt;
        return service::explain(tx, *env, *row, box, now);
    };
    auto found = co_await context_.store.read(job);
    if (!found) co_return unavailable(found.error());
    if (!*found) co_return Refusal{404, "not-found", fmt::format("There is no message {}.", id.value)};
    co_return std::move(**found);
}

aio::awaitable<Answer<json>> Gateway::status() {
    struct Counts {
        store::QueueCounts queue;
        std::int64_t unread = 0;
        std::optional<WallTime> next;
    };
    auto job = [](Tx& tx) {
        Counts c{.queue = store::count_queue(tx, counted_by_status)};
        store::Rows q = tx.query("SELECT count(*) FROM (SELECT 1 FROM messages INDEXED BY messages_unread WHERE status = 20 LIMIT ?)",
                                 counted_by_status);
        if (q.next()) c.unread = q.i64(0);
        c.next = store::next_waiting(tx);
        return c;
    };
    auto counts = co_await context_.store.read(job);
    if (counts) {
        auto& queue = counts->queue;
        const auto last = queue_;
        bool whole = true;
        for (const auto kind :
             {&store::QueueCounts::ready, &store::QueueCounts::waiting, &store::QueueCounts::go, &store::QueueCounts::held})
            if (queue.*kind == counted_by_status) {
                queue.*kind = std::max(counted_by_status, last.*kind);
                whole = false;
            }
        open_ = whole ? queue.open() : std::max(open_, queue.open());  // as intake and housekeeping count
        held_ = queue.held;
    } else {
        counts = Counts{};  // a database that cannot be read is what `store` tells of
    }
    json modems = json::array();
    for (const auto& m : modems_)
        modems.push_back({{"index", m->index()},
                          {"state", driver::to_string(m->status().state)},
                          {"reason", m->status().reason},
                          {"operator", m->status().operator_name},
                          {"signal_dbm", optional_int(m->status().rssi_dbm)}});
    const auto& t = shared_.tally;
    json ended = json::object();
    for (std::size_t i = 0; i < std::size(t.ended); ++i) ended[std::string{to_string(static_cast<MessageStatus>(i))}] = t.ended[i];
    const auto& gateway = context_.env->config.gateway;
    const auto now = context_.wall();
    const auto clock = shared_.clock_state();
    json body = {
        {"gateway", {{"id", gateway.id}, {"pool", gateway.pool}, {"version", CONDUCTOR_VERSION}, {"instance", context_.env->instance}}},
        {"clock",
         {{"sure", now.has_value()},
          {"now", optional_time(now)},
          {"source", to_string(clock.source)},
          {"offset_ms", clock.offset.count()},
          {"reason", clock.reason}}},
        {"paused", shared_.paused},
        {"queue",
         {{"open", open_},
          {"ready", counts->queue.ready},
          {"waiting", counts->queue.waiting + counts->queue.go},
          {"sending", counts->queue.sending},
          {"held", counts->queue.held},
          {"next_at", optional_time(counts->next)}}},
        {"inbox", {{"unread", counts->unread}}},
        {"modems", std::move(modems)},
        {"since_start",
         {{"submitted", t.submitted},
          {"accepted", t.accepted},
          {"refused", t.refused},
          {"ambiguous", t.ambiguous},
          {"not_sent", t.not_sent},
          {"inbound", t.inbound},
          {"reports", t.reports},
          {"became", std::move(ended)}}},
        {"store",
         {{"commits", context_.store.counters().commits},
          {"doubt", held_why_.empty() ? json(nullptr) : json(held_why_)},
          {"trouble", context_.store.trouble() ? json(context_.store.trouble()->text()) : json(nullptr)}}}};
    {
        const std::lock_guard lock{file_care_->mutex};
        body["store"]["backup"] = file_care_->backup.empty() ? json(nullptr) : json(file_care_->backup);
        body["store"]["backup_problem"] = file_care_->problem.empty() ? json(nullptr) : json(file_care_->problem);
    }
    body["uptime_s"] = std::chrono::duration_cast<std::chrono::seconds>(context_.clock.now() - started_).count();
    body["sync"] = sync_ ? sync_->status() : json(nullptr);
    body["last_accepted"] = optional_time(t.last_accepted);
    body["last_inbound"] = optional_time(t.last_inbound);
    co_return body;
}

aio::awaitable<Answer<json>> Gateway::sync_status() {
    if (!sync_) co_return Refusal{409, "no-supabase", dispatch::reason_text("no-supabase")};
    co_return sync_->status();
}

aio::awaitable<Answer<json>> Gateway::sync_now(Actor actor) {
    if (!sync_) co_return Refusal{409, "no-supabase", dispatch::reason_text("no-supabase")};
    context_.log.info("sync-asked", {{"actor", actor.name}});
    sync_->now();
    co_return sync_->status();
}

json Gateway::health() const {
    // progress, not liveness: something sendable while no modem is able is trouble
    const bool able = std::ranges::any_of(modems_, [](const auto& m) { return m->able(); });
    const bool store_ok = !context_.store.trouble();
    json out = {{"ok", store_ok && shared_.recovered && held_ == 0 && (able || open_ == 0)},
                {"store", store_ok},
                {"held", held_},
                {"modem_able", able},
                {"open", open_},
                {"clock_sure", context_.wall().has_value()}};
    return out;
}

}  // namespace conductor::service
