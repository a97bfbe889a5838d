#include "daemon/service/gateway.hpp"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "daemon/core/msisdn.hpp"
#include "daemon/dispatch/reasons.hpp"
#include "daemon/dispatch/submission.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/flight.hpp"
#include "daemon/service/steps.hpp"

namespace conductor::service {

using api::Actor;
using api::Answer;
using api::Refusal;
using nlohmann::json;
using store::MessageRow;
using store::Tx;

namespace {

constexpr std::int64_t rows_a_read = 5000;
constexpr int rows_looked_through = 2000;

Refusal not_found(std::string_view what, std::int64_t id) {
    return {404, "not-found", fmt::format("There is no {} {}.", what, id)};
}
Refusal state_forbids(const MessageRow& row, std::string_view action) {
    return {409, "wrong-state", fmt::format("A message that is {} cannot be {}.", to_string(row.status), action)};
}
/// Keys that the gateway makes itself: a caller's message under one would stand in the way of a claim or an answer for ever.
bool is_reserved(std::string_view key) {
    return key.starts_with("supabase-") || key.starts_with(own_answer_key);
}
Refusal clock_unsure() {
    return {
        503, "clock-unsure",
        "The box does not know the time yet: RTC, network time or a modem tells it. Nothing of this request is stored; repeat it then."};
}

}  // namespace

Gateway::Gateway(Context& context, Shared& shared, std::vector<std::unique_ptr<ModemService>>& modems, SyncService* sync)
    : context_{context}, shared_{shared}, modems_{modems}, sync_{sync}, started_{context.clock.now()} {
    shared_.begin_instance = [this](std::string why) { return begin_instance(std::move(why)); };
}

aio::awaitable<void> Gateway::housekeeping() {
    unsigned minutes = 0;
    Instant flights_at{};  // records of modems that have no incident any more end, too
    if (const auto now = context_.wall()) co_await keep_clock(*now, context_.clock.now());
    for (;;) {
        // every ten seconds while something waits, so that an expiry shows soon; else once a minute
        const bool on_time = co_await aio::sleep_for(std::chrono::seconds{open_ > 0 ? 10 : 60});
        if (!on_time) co_return;
        const auto now = context_.wall();
        if (!now || !shared_.recovered) continue;
        co_await follow_clock(*now);
        co_await tidy(*now);
        for (const auto& modem : modems_) co_await modem->give_up_inherited();
        if (context_.clock.now() - flights_at >= std::chrono::hours{1}) {
            flights_at = context_.clock.now();
            auto prune = [now = *now, keep = context_.env->config.retention.flight](Tx& tx) {
                const std::string folder = flight_folder(tx);
                if (!folder.empty()) prune_flights(folder, now, keep);
            };
            co_await context_.store.read(prune);
        }
        // looks first, so that an idle box writes nothing; a long queue is counted less often
        const bool count = open_ < 50'000 || ++minutes % 10 == 0;
        // modems end what expired as they pick; what none picks ends here, some rows at a time: a long queue must not hold up the rest
        struct Due {
            bool work = false;
            std::optional<store::QueueCounts> queue;
            std::vector<MessageId> expired;
            store::ReadyCursor at, go_at;
        };
        auto look = [now = *now, count, at = expiry_at_, go_at = go_expiry_at_, counted = counted_](Tx& tx) {
            Due d{.at = at, .go_at = go_at};
            d.work = !store::overdue_reports(tx, now, 1).empty() || !store::stale_parts(tx, now - Limits::reassembly, 1).empty() ||
                     !unread_slots(tx, now).empty();
            // asked anew each time: claims, answers and new rounds come in without the API
            if (const auto next = store::next_waiting(tx); next || store::any_ready(tx) || store::any_waits_for_go(tx)) {
                d.expired = store::ready_and_expired(tx, d.at, now, rows_looked_through);
                std::ranges::move(store::ready_and_expired(tx, d.go_at, now, rows_looked_through, store::Gate::go),
                                  std::back_inserter(d.expired));
                d.work = d.work || !d.expired.empty() || (next && *next <= now);
            }
            if (count) {
                d.queue = store::count_queue(tx);
                *counted = d.queue->open();
            }
            return d;
        };
        auto due = co_await context_.store.read(look);
        if (!due) continue;
        if (due->queue) {
            queue_ = *due->queue;
            open_ = queue_.open();
            held_ = queue_.held;
        }
        expiry_at_ = due->at;
        go_expiry_at_ = due->go_at;
        co_await settle_held();
        if (!due->work) continue;
        struct Done {
            std::vector<Changed> changed;
            std::vector<Arrived> arrived;
        };
        auto job = [env = context_.env, now = *now, expired = std::move(due->expired)](Tx& tx) {
            Done d;
            d.changed = close_overdue_reports(tx, *env, now, 500);
            std::ranges::move(give_up_slots(tx, *env, now), std::back_inserter(d.changed));
            std::ranges::move(expire_overdue(tx, *env, expired, now, 500), std::back_inserter(d.changed));
            d.arrived = give_up_parts(tx, *env, now - Limits::reassembly, now, 100);
            return d;
        };
        auto done = co_await context_.store.run(job);
        if (!done) {
            context_.log.error("housekeeping-failed", {{"error", done.error().text()}});
            continue;
        }
        shared_.note(done->changed);
        shared_.wake_for(done->changed);
        if (!done->arrived.empty()) shared_.sync_wake.raise();
    }
}

aio::awaitable<Answer<api::Submitted>> Gateway::submit(NewMessage message, Actor actor) {
    std::vector<NewMessage> one;
    one.push_back(std::move(message));
    auto answers = co_await submit_all(std::move(one), std::move(actor));
    co_return std::move(answers.front());
}

aio::awaitable<std::vector<Answer<api::Submitted>>> Gateway::submit_all(std::vector<NewMessage> messages, Actor) {
    const auto count = messages.size();
    if (!shared_.recovered)
        co_return std::vector<Answer<api::Submitted>>(
            count, Answer<api::Submitted>{unavailable(context_.store.trouble().value_or(fail(store::StoreErrc::failed, "starting")))});
    const auto now = context_.wall();
    if (!now) co_return std::vector<Answer<api::Submitted>>(count, Answer<api::Submitted>{clock_unsure()});
    struct Intake {
        std::vector<Answer<Taken>> all;
        std::int64_t open = 0;
        bool counted = false;
    };
    std::vector<Answer<store::MessageRow>> rows;  // what needs no database is done here, while the store does the rows before these
    rows.reserve(count);
    Openings openings;
    for (const auto& message : messages) {
        if (message.key && is_reserved(*message.key))
            rows.emplace_back(Refusal{422, "reserved-key", dispatch::reason_text("reserved-key"), "key"});
        else
            rows.push_back(make_row(*context_.env, message, *now, &openings));
    }
    auto job = [env = context_.env, messages = std::move(messages), rows = std::move(rows), now = *now, open = counted_,
                may_count = context_.clock.now() >= next_count_](Tx& tx) mutable {
        Intake in;
        in.all.reserve(messages.size());
        for (std::size_t i = 0; i < messages.size(); ++i) {
            if (!rows[i]) {
                in.all.push_back(std::move(rows[i].error()));
                continue;
            }
            if (*open >= env->config.gateway.queue_limit && may_count && !std::exchange(in.counted, true)) *open = store::count_open(tx);
            in.all.push_back(take(tx, *env, messages[i], std::move(*rows[i]), now, *open));
            *open += in.all.back() && in.all.back()->created;
        }
        in.open = *open;
        return in;
    };
    auto taken = co_await context_.store.run(job);
    if (!taken) co_return std::vector<Answer<api::Submitted>>(count, Answer<api::Submitted>{unavailable(taken.error())});
    std::vector<Answer<api::Submitted>> answers;
    answers.reserve(count);
    std::size_t created = 0;
    std::uint64_t lane = 0;
    bool due = false;
    for (auto& one : taken->all) {
        if (!one) {
            answers.emplace_back(std::move(one.error()));
            continue;
        }
        created += one->created;
        due = due || (one->created && one->row.ready);
        lane = one->row.lane;
        answers.emplace_back(api::Submitted{show(std::move(one->row)), one->created});
    }
    open_ = taken->open;
    // a million rows are counted in some 50 ms: at most a twentieth of the store's time goes into that
    if (taken->counted) next_count_ = context_.clock.now() + std::chrono::microseconds{open_};
    if (created > 1)
        shared_.wake_all();
    else if (due)
        shared_.wake_one(lane);
    else if (created)
        shared_.wake_all();  // due later: whoever waits must look at its time again
    co_return answers;
}

aio::awaitable<Answer<Message>> Gateway::message(MessageId id) {
    auto job = [id](Tx& tx) { return store::find(tx, id); };
    auto row = co_await context_.store.read(job);
    if (!row) co_return unavailable(row.error());
    if (!*row) co_return not_found("message", id.value);
    co_return show(std::move(**row));
}

aio::awaitable<Answer<api::Page>> Gateway::list(api::ListQuery query) {
    store::Filter filter{
        .status = query.status, .direction = query.direction, .before = query.after, .limit = std::clamp(query.limit, 1, 1000)};
    if (query.to) {
        const auto number = parse_msisdn(*query.to, context_.env->config.gateway.region);
        filter.phone = number ? number->text : *query.to;  // an alphanumeric sender is listed as it is written
    }
    // a status that few rows have: the store does other things between two parts of the search
    const int wanted = filter.limit;
    api::Page page;
    std::optional<MessageId> last;
    do {
        auto job = [filter](Tx& tx) { return store::list_some(tx, filter, rows_a_read); };
        auto listed = co_await context_.store.read(job);
        if (!listed) co_return unavailable(listed.error());
        for (auto& row : listed->rows) {
            last = row.id;
            page.messages.push_back(show(std::move(row)));
        }
        filter.limit = wanted - static_cast<int>(page.messages.size());
        filter.before = listed->go_on;
    } while (filter.limit > 0 && filter.before);
    if (filter.limit <= 0) page.next = last;
    co_return page;
}

aio::awaitable<Answer<Message>> Gateway::change(MessageId id, Actor actor, std::string action, Change step) {
    const auto now = context_.wall();
    if (!now) co_return clock_unsure();
    auto job = [env = context_.env, id, actor = std::move(actor), action = std::move(action), step = std::move(step),
                now = *now](Tx& tx) -> Answer<MessageRow> {
        auto row = store::find(tx, id);
        if (!row) return not_found("message", id.value);
        if (auto allowed = step(tx, *env, *row, now); !allowed) return allowed.error();
        save(tx, *env, *row, now);
        store::audit(tx, now, actor.name, action, std::to_string(id.value));
        return std::move(*row);
    };
    auto done = co_await context_.store.run(job);
    if (!done) co_return unavailable(done.error());
    if (!*done) co_return done->error();
    Changed changed{id, (*done)->status, (*done)->reason.value_or("")};
    std::vector<Changed> all;
    all.push_back(std::move(changed));
    shared_.note(all);
    if ((*done)->set_name) shared_.wake_all();  // others of its set may go now
    co_return show(std::move(**done));
}

aio::awaitable<Answer<Message>> Gateway::cancel(MessageId id, Actor actor) {
    co_return co_await change(id, std::move(actor), "cancel", [](Tx& tx, const Env&, MessageRow& row, WallTime) -> Answer<void> {
        if (row.status == MessageStatus::cancelled) return {};
        if (row.status != MessageStatus::queued) return state_forbids(row, "cancelled");
        give_up(tx, row, MessageStatus::cancelled, "cancelled");
        row.ready = false;
        return {};
    });
}

aio::awaitable<Answer<Message>> Gateway::retry(MessageId id, Actor actor) {
    auto answer = co_await change(id, std::move(actor), "retry", [](Tx&, const Env& env, MessageRow& row, WallTime now) -> Answer<void> {
        switch (row.status) {
            case MessageStatus::failed:
            case MessageStatus::expired:
            case MessageStatus::cancelled:
            case MessageStatus::suppressed:
            case MessageStatus::undelivered:
            case MessageStatus::unknown: break;
            case MessageStatus::queued:
            case MessageStatus::sending:
            case MessageStatus::sent:
            case MessageStatus::delivered:
            case MessageStatus::unread:
            case MessageStatus::read: return state_forbids(row, "sent again");
        }
        if (row.direction != Direction::outbound) return state_forbids(row, "sent again");
        if (row.scheduled_message_id) return Refusal{409, "belongs-to-supabase", dispatch::reason_text("belongs-to-supabase")};
        if (row.parts.empty()) return state_forbids(row, "sent again: its number or text was refused");
        begin_again(env, row, now);
        const dispatch::Facts facts{.message_class = row.message_class,
                                    .phone_number = row.phone_number,
                                    .state = row.state,
                                    .time_zone = row.time_zone,
                                    .due = *row.due_at};
        row.expires_at = dispatch::expiry_of(env.config, facts, env.config.send.expire_after);
        return {};
    });
    if (answer) shared_.wake_all();
    co_return answer;
}

aio::awaitable<Answer<Message>> Gateway::mark_read(MessageId id, Actor actor) {
    co_return co_await change(id, std::move(actor), "read", [](Tx&, const Env&, MessageRow& row, WallTime) -> Answer<void> {
        if (row.direction != Direction::inbound) return state_forbids(row, "read: it is not inbound");
        row.status = MessageStatus::read;
        return {};
    });
}

aio::awaitable<Answer<api::Page>> Gateway::claim_inbox(api::ClaimRequest request) {
    const auto now = context_.wall();
    if (!now) co_return clock_unsure();
    auto job = [request = std::move(request), now = *now](Tx& tx) {
        return store::claim_unread(tx, request.owner, now, now + request.lease, std::clamp(request.limit, 1, 1000));
    };
    auto rows = co_await context_.store.run(job);
    if (!rows) co_return unavailable(rows.error());
    api::Page page;
    for (auto& row : *rows) page.messages.push_back(show(std::move(row)));
    co_return page;
}

aio::awaitable<Answer<void>> Gateway::pause(bool paused, Actor actor, std::string campaign) {
    const WallTime now = context_.record_time();
    auto job = [paused, campaign, actor = std::move(actor), now](Tx& tx) {
        const std::string setting = campaign.empty() ? "paused" : paused_campaign(campaign);
        if (paused)
            store::set_setting(tx, setting, actor.name);
        else
            tx.run("DELETE FROM settings WHERE name = ?", setting);
        store::audit(tx, now, actor.name, paused ? "queue-pause" : "queue-resume", campaign.empty() ? "queue" : "campaign " + campaign);
        return store::last_message(tx);
    };
    auto done = co_await context_.store.run(job);
    if (!done) co_return unavailable(done.error());
    // what the pause of a campaign parked is due again now
    for (std::int64_t after = 0; !paused && !campaign.empty() && after < *done; after += rows_a_read) {
        auto part = [campaign, now, after](Tx& tx) { store::resume_campaign(tx, campaign, now, after, after + rows_a_read); };
        auto resumed = co_await context_.store.run(part);
        if (!resumed) co_return unavailable(resumed.error());
    }
    if (campaign.empty()) shared_.paused = paused;
    if (!paused) shared_.wake_all();
    co_return Answer<void>{};
}

aio::awaitable<Answer<std::vector<api::OptOut>>> Gateway::opt_outs() {
    auto job = [](Tx& tx) { return store::all_opt_outs(tx); };
    auto rows = co_await context_.store.read(job);
    if (!rows) co_return unavailable(rows.error());
    std::vector<api::OptOut> all;
    for (const auto& row : *rows) all.push_back({row.phone, row.active, row.reason, row.actor, row.at});
    co_return all;
}

aio::awaitable<Answer<api::OptOut>> Gateway::set_opt_out(std::string number, bool active, std::string reason, Actor actor) {
    const auto now = context_.wall();
    if (!now) co_return clock_unsure();
    const auto msisdn = parse_msisdn(number, context_.env->config.gateway.region);
    if (!msisdn) co_return Refusal{422, "bad-number", dispatch::reason_text("bad-number", msisdn.error().code.message()), "number"};
    const store::OptOutRow row{.phone = msisdn->text, .active = active, .reason = std::move(reason), .actor = actor.name, .at = *now};
    auto job = [env = context_.env, row](Tx& tx) -> Answer<std::vector<Changed>> {
        if (!row.active && !store::find_opt_out(tx, row.phone))
            return Refusal{404, "not-found", "This number is not on the list of opt-outs.", "number"};
        store::set_opt_out(tx, row);
        tell_supabase_opt_out(tx, *env, row);
        return row.active ? suppress_queued(tx, *env, row.phone, row.at) : std::vector<Changed>{};
    };
    auto done = co_await context_.store.run(job);
    if (!done) co_return unavailable(done.error());
    if (!*done) co_return done->error();
    shared_.note(**done);
    shared_.sync_wake.raise();
    co_return api::OptOut{row.phone, row.active, row.reason, row.actor, row.at};
}

aio::awaitable<Answer<json>> Gateway::consent(std::string number) {
    const auto msisdn = parse_msisdn(number, context_.env->config.gateway.region);
    if (!msisdn) co_return Refusal{422, "bad-number", dispatch::reason_text("bad-number", msisdn.error().code.message()), "number"};
    auto job = [phone = msisdn->text](Tx& tx) { return store::find_consent(tx, phone); };
    auto row = co_await context_.store.read(job);
    if (!row) co_return unavailable(row.error());
    if (!*row) co_return Refusal{404, "not-found", "No consent is on record for this number."};
    const auto& c = **row;
    json body = {{"phone_number", c.phone}, {"active", c.active}, {"source", c.source},
                 {"shown", c.shown},        {"actor", c.actor},   {"at", to_rfc3339(c.at)}};
    co_return body;
}

aio::awaitable<Answer<json>> Gateway::set_consent(std::string number, json body, Actor actor) {
    const auto now = context_.wall();
    if (!now) co_return clock_unsure();
    for (const auto& [name, value] : body.items()) {
        if (name != "active" && name != "source" && name != "shown")
            co_return Refusal{422, "unknown-field", fmt::format("\"{}\" is no field of a consent: active, source, shown", name), name};
    }
    if (!body.contains("active") || !body["active"].is_boolean())
        co_return Refusal{422, "bad-value", "active must be true (given) or false (revoked)", "active"};
    const auto msisdn = parse_msisdn(number, context_.env->config.gateway.region);
    if (!msisdn) co_return Refusal{422, "bad-number", dispatch::reason_text("bad-number", msisdn.error().code.message()), "number"};
    const store::ConsentRow row{.phone = msisdn->text,
                                .active = body["active"].get<bool>(),
                                .source = body.value("source", "api"),
                                .shown = body.value("shown", ""),
                                .actor = actor.name,
                                .at = *now};
    auto job = [row](Tx& tx) { store::set_consent(tx, row); };
    auto done = co_await context_.store.run(job);
    if (!done) co_return unavailable(done.error());
    co_return co_await consent(std::move(number));
}

}  // namespace conductor::service
