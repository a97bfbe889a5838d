#include "daemon/service/go_ahead.hpp"

#include <algorithm>
#include <unordered_map>

#include "daemon/dispatch/submission.hpp"
#include "daemon/service/events.hpp"
#include "daemon/service/modem_service.hpp"
#include "daemon/service/steps.hpp"

namespace conductor::service {
namespace {

using store::MessageRow;
using store::Tx;

constexpr std::chrono::seconds soon{5};        // a modem whose SIM may send a part then counts
constexpr std::chrono::seconds look_again{5};  // with nothing said
constexpr std::chrono::seconds pause{1};       // after a call that failed, at least
constexpr std::chrono::minutes still_slow{1};  // a slow server; and so long a line that was alive is trusted to be

struct Uncovered {
    std::vector<GoRequest::Modem> modems;  ///< that have nothing ahead of what they send now
    std::vector<std::string> numbers;      ///< of the rows that are ahead
};

bool lets(const GoRequest& request, MessageClass c) {
    return !request.paused || c == MessageClass::reply;
}

/// Of the modems that take it none has room for it now, and they will have.
bool waits_everywhere(const GoRequest& request, std::uint64_t lane, int segments) {
    bool taken = false;
    for (const auto& modem : request.modems) {
        if (!takes(lane, modem.index)) continue;
        if (!waits_for_room(segments, modem.room, modem.most_room)) return false;
        taken = true;
    }
    return taken;
}

Uncovered uncovered(Tx& tx, const GoRequest& request) {
    struct Row {
        std::uint64_t lane = 0;
        std::string phone_number;
        int segments = 0;
    };
    Uncovered open;
    std::vector<Row> ahead;
    std::uint64_t mask = 0;
    for (const auto& modem : request.modems) mask |= bit_of(modem.index);
    for (auto& row : store::rows_ahead(tx, mask, request.paused, static_cast<int>(2 * request.modems.size())))
        ahead.push_back({row.lane, std::move(row.phone_number)});
    for (const auto& row : request.granted->rows()) {
        const bool wanted = std::ranges::any_of(request.modems, [&row](const auto& m) { return takes(row.ranked.lane, m.index); });
        if (!wanted || !lets(request, row.message_class)) continue;
        if (waits_everywhere(request, row.ranked.lane, row.segments))  // what passes it is ahead
            open.numbers.push_back(row.phone_number);
        else
            ahead.push_back({row.ranked.lane, row.phone_number, row.segments});
    }
    if (ahead.size() >= 2 * request.modems.size()) return open;
    auto modems = request.modems;
    for (const auto& row : ahead) {
        open.numbers.push_back(row.phone_number);
        const auto covered = std::ranges::find_if(modems, [&row](const auto& m) {
            return !m.idle && takes(row.lane, m.index) && !waits_for_room(row.segments, m.room, m.most_room);
        });
        if (covered != modems.end()) modems.erase(covered);
    }
    open.modems = std::move(modems);
    return open;
}

/// What a round has seen of the queues. What is for another modem is read once, and not once for each that it is not for.
class Seen {
public:
    Seen(Tx& tx, const GoRequest& request) : tx_{tx}, request_{request} {
        for (const auto& row : request.granted->rows())
            if (waits_everywhere(request, row.ranked.lane, row.segments)) too_long_.push_back(row.ranked.lane);
    }

    /// The best row for this modem among `examined` that are looked at, the ones before it counted; `done` with it.
    std::optional<MessageRow> best_for(const GoRequest::Modem& modem, int& examined, int most) {
        const auto gate = request_.offline ? store::Gate::go_offline : store::Gate::go;
        const auto lets_class = [&](MessageClass c) { return lets(request_, c); };
        const auto may_be = [&](const store::Ranked& one) {
            if (request_.granted->has(one.id)) return false;
            const auto known = rows_.find(one.id.value);
            return known == rows_.end() || (!known->second.done && suits(known->second, modem));
        };
        while (examined < most && !tx_.failed()) {
            const auto limit = static_cast<int>(rows_.size() + request_.granted->rows().size()) + 1;
            const auto best = first_of_queues(tx_, gate, modem.index, limit, lets_class, may_be);
            auto row = best ? store::find(tx_, best->id) : std::nullopt;
            if (!row) return std::nullopt;
            ++examined;
            auto& known = rows_[row->id.value];
            known = {row->lane, row->segments, false};
            if (!suits(known, modem)) continue;
            known.done = true;
            return row;
        }
        return std::nullopt;
    }
    void note_begun(const MessageRow& row) {
        if (waits_everywhere(request_, row.lane, row.segments)) too_long_.push_back(row.lane);
    }

private:
    struct Row {
        std::uint64_t lane = 0;
        int segments = 0;
        bool done = false;  ///< for this round
    };
    bool suits(const Row& row, const GoRequest::Modem& modem) const {
        if (waits_everywhere(request_, row.lane, row.segments))  // one of those a modem is enough
            return std::ranges::none_of(too_long_, [&](auto lane) { return takes(lane, modem.index); });
        return !waits_for_room(row.segments, modem.room, modem.most_room);  // else another modem has room for it
    }

    Tx& tx_;
    const GoRequest& request_;
    std::unordered_map<std::int64_t, Row> rows_;
    std::vector<std::uint64_t> too_long_;  ///< lanes of what was begun, and waits for room
};

/// Supabase took it back: it leaves this box unsent.
void end_refused(Tx& tx, const Env& env, MessageRow& row, const std::string& refusal, WallTime now) {
    row.ready = false;
    if (refusal == "cancelled" || refusal == "expired" || refusal == "opted-out") {
        const auto status = refusal == "cancelled" ? MessageStatus::cancelled
                            : refusal == "expired" ? MessageStatus::expired
                                                   : MessageStatus::suppressed;
        dispatch::abandon(row, status, refusal);
        return save(tx, env, row, now);
    }
    if (refusal == "begun-before") {
        dispatch::abandon(row, MessageStatus::unknown, refusal);
        row.delivery_status = DeliveryStatus::unknown;
        return save(tx, env, row, now);
    }
    // "lease", "stale-epoch", "state", "not-found", "fenced": the server knows better, and is told nothing but that this copy is gone
    dispatch::abandon(row, MessageStatus::cancelled, refusal == "edited" ? "edited" : reason_lease_lost);
    row.stored_status = row.status;
    if (refusal == "edited" || refusal == "lease")
        tell_supabase_released(tx, env, row.scheduled_message_id.value_or(0), row.claim_epoch, *row.reason, now);
    save(tx, env, row, now);
}

std::vector<GoRuling> all_let_go(std::vector<GoCandidate> rows) {
    std::vector<GoRuling> rulings;
    for (auto& row : rows) rulings.push_back({std::move(row), {}});
    return rulings;
}

}  // namespace

GoBatch choose_for_go(Tx& tx, const Env& env, GoRequest request) {
    GoBatch batch;
    if (request.modems.empty()) return batch;
    for (auto& modem : request.modems) modem.room = std::max(1, modem.room);  // its next part may go soon
    store::promote(tx, request.now, Limits::promote_batch);
    request.granted->refresh(tx);
    const PickRequest nobody{.now = request.now};
    auto [modems, numbers] = uncovered(tx, request);
    // each modem looks at rows of its own: what is not for one takes nothing from the next
    constexpr int least = 16;
    const int most = modems.empty() ? 0 : std::max(least, Limits::examined_per_pick / static_cast<int>(modems.size()));
    Seen seen{tx, request};
    for (const auto& modem : modems) {
        int examined = 0;
        while (auto row = seen.best_for(modem, examined, most)) {
            // gap, caps and order of a number are judged by what was begun: its next one has its turn when this one is on a modem
            if (std::ranges::find(numbers, row->phone_number) != numbers.end()) continue;
            PickAnswer answer;
            bool may_go = false;
            const auto failed = tx.alone([&] { may_go = release(tx, env, *row, nobody, answer); });
            if (failed && !tx.failed()) put_aside(tx, row->id, *failed, request.now, answer);
            std::ranges::move(answer.changed, std::back_inserter(batch.changed));
            if (failed || !may_go) continue;
            seen.note_begun(*row);
            numbers.push_back(row->phone_number);
            batch.rows.push_back({row->id,
                                  {.id = *row->scheduled_message_id,
                                   .epoch = row->claim_epoch,
                                   .revision = row->revision,
                                   .phone_number = row->phone_number,
                                   .offline_ok = row->offline_ok}});
            break;
        }
    }
    return batch;
}

GoApplied grant(Tx& tx, const std::vector<GoRuling>& rulings, Granted& granted) {
    GoApplied out;
    for (const auto& ruling : rulings) {
        if (!ruling.refusal.empty()) continue;
        auto row = store::waiting_for_go(tx, ruling.row.id, ruling.row.item.epoch);
        if (!row) continue;
        out.lanes.push_back(row->ranked.lane);
        granted.add(std::move(*row));
    }
    return out;
}

GoApplied take_back(Tx& tx, const Env& env, const std::vector<GoRuling>& rulings, WallTime now) {
    GoApplied out;
    for (const auto& ruling : rulings) {
        if (ruling.refusal.empty()) continue;
        auto row = store::find(tx, ruling.row.id);
        if (!row || row->status != MessageStatus::queued || row->claim_epoch != ruling.row.item.epoch || !row->needs_go()) continue;
        PickAnswer answer;
        const auto failed = tx.alone([&] { end_refused(tx, env, *row, ruling.refusal, now); });
        if (!failed) answer.changed.push_back({row->id, row->status, row->reason.value_or("")});
        if (failed && !tx.failed()) put_aside(tx, row->id, *failed, now, answer);
        std::ranges::move(answer.changed, std::back_inserter(out.changed));
    }
    return out;
}

GoApplied give_back(Tx& tx, const Env& env, const std::vector<GoRuling>& rulings, WallTime now) {
    GoApplied out;
    for (const auto& ruling : rulings) {
        if (!ruling.refusal.empty()) continue;
        auto row = store::find(tx, ruling.row.id);
        if (!row || row->claim_epoch != ruling.row.item.epoch || !row->needs_go()) continue;
        const bool given_up = row->status == MessageStatus::cancelled && row->reason == reason_lease_lost;  // and nothing told of it
        if (row->status != MessageStatus::queued && !given_up) continue;
        PickAnswer answer;
        const auto failed = tx.alone([&] {
            if (given_up)
                tell_supabase_released(tx, env, ruling.row.item.id, row->claim_epoch, reason_lease_lost, now);
            else
                end_refused(tx, env, *row, "lease", now);
        });
        if (!failed && !given_up) answer.changed.push_back({row->id, row->status, row->reason.value_or("")});
        if (failed && !tx.failed()) {
            if (given_up)
                store::audit(tx, now, "daemon", "store-failed", std::to_string(row->id.value), failed->text());
            else
                put_aside(tx, row->id, *failed, now, answer);
        }
        std::ranges::move(answer.changed, std::back_inserter(out.changed));
    }
    return out;
}

GoAhead::GoAhead(Context& context, Shared& shared, sync::Client& client)
    : context_{context}, shared_{shared}, client_{client}, log_{context.log.with("part", "sync")}, insist_{context.executor} {}

void GoAhead::set_link(Link link) {
    if (link_ == Link::fenced && link == Link::away) return;  // whoever is away does not know better
    link_ = link;
    if (link == Link::up) not_before_ = {};
    shared_.go_wake.raise();
}

bool GoAhead::away() const {
    const auto& status = client_.status();
    return link_ == Link::away || !unanswered_.empty() || context_.clock.now() < not_before_ ||
           (status.breaker_open && client_.back_off().count() > 0);
}

GoRequest GoAhead::request(WallTime now) const {
    GoRequest request{.modems = {}, .paused = shared_.paused, .offline = away(), .granted = shared_.granted, .now = now};
    decltype(request.modems) paused;  // they reply alone
    for (ModemService* modem : shared_.modems)
        if (modem->able() && modem->next_part(now) <= now + soon)
            (modem->paused() ? paused : request.modems).push_back({modem->index(), modem->idle(), modem->room(now), modem->most_room()});
    if (request.modems.empty() && !paused.empty()) {
        request.modems = std::move(paused);
        request.paused = true;
    }
    return request;
}

void GoAhead::unreachable() {
    not_before_ = context_.clock.now() + std::max<BootClock::duration>(pause, client_.back_off());
}

/// Not only when haste was in vain: what hardly came in time may come too late the next time.
bool GoAhead::hardly_in_time(Instant asked_at) const {
    return context_.clock.now() - asked_at > client_.patience(sync::Patience::haste) * 2 / 3;
}

void GoAhead::note_slow(bool slow) {
    slow_until_ = slow ? context_.clock.now() + still_slow : Instant{};
}

aio::awaitable<Result<std::vector<GoRuling>>> GoAhead::answers_to(std::vector<GoCandidate> rows, sync::Patience patience) {
    std::vector<sync::BeginItem> items;
    for (const auto& row : rows) items.push_back(row.item);
    ++asked_;
    auto answers = co_await client_.begin(std::move(items), patience);
    if (answers && answers->size() != rows.size()) answers = fail(sync::SyncErrc::bad_answer, "wrong number of answers");
    if (!answers) {
        log_.warning("begin-failed", {{"error", answers.error().text()}});
        co_return answers.error();
    }
    std::vector<GoRuling> rulings;
    for (std::size_t i = 0; i < rows.size(); ++i) {
        const auto& answer = (*answers)[i];
        if (answer.id != rows[i].item.id) continue;
        const std::string refusal = answer.go ? "" : answer.reason.empty() ? "state" : answer.reason;
        if (!refusal.empty()) {
            ++refused_;
            log_.notice("taken-back", {{"job", answer.id}, {"reason", refusal}});
        }
        if (refusal == "fenced") set_link(Link::fenced);
        rulings.push_back({std::move(rows[i]), refusal});
    }
    co_return rulings;
}

aio::awaitable<void> GoAhead::let_go(std::vector<GoRuling> rulings) {
    if (std::ranges::none_of(rulings, [](const auto& ruling) { return ruling.refusal.empty(); })) co_return;
    if (link_ == Link::fenced) {  // since it was asked for: what had its go by then was given back, and this came too late for that
        auto give = [env = context_.env, rulings = std::move(rulings), stored_at = context_.record_time()](Tx& tx) {
            return give_back(tx, *env, rulings, stored_at);
        };
        auto given = co_await context_.store.run(give);
        if (given)
            shared_.note(given->changed);
        else
            log_.error("go-not-given-back", {{"error", given.error().text()}});
        co_return;
    }
    auto note = [rulings = std::move(rulings), granted = shared_.granted](Tx& tx) { return grant(tx, rulings, *granted); };
    const auto granted = co_await context_.store.read(note);
    if (granted)
        for (const auto lane : granted->lanes) shared_.wake_one(lane);
    else
        log_.error("go-not-noted", {{"error", granted.error().text()}});
}

aio::awaitable<void> GoAhead::apply(std::vector<GoRuling> rulings) {
    const bool refused = std::ranges::any_of(rulings, [](const auto& r) { return !r.refusal.empty(); });
    co_await let_go(rulings);
    if (!refused) co_return;
    auto end = [env = context_.env, rulings = std::move(rulings), stored_at = context_.record_time()](Tx& tx) {
        return take_back(tx, *env, rulings, stored_at);
    };
    auto ended = co_await context_.store.run(end);
    if (!ended) {
        log_.error("go-not-stored", {{"error", ended.error().text()}});
        co_return;
    }
    shared_.note(ended->changed);
    if (!ended->changed.empty()) shared_.go_wake.raise();  // in the place of what was taken back
}

aio::awaitable<void> GoAhead::go_without(std::vector<GoCandidate> rows) {
    unasked_ += rows.size();
    co_await let_go(all_let_go(std::move(rows)));
}

aio::awaitable<void> GoAhead::ask(std::vector<GoCandidate> rows) {
    const Instant asked_at = context_.clock.now();
    auto rulings = co_await answers_to(rows, asked_at < slow_until_ ? sync::Patience::full : sync::Patience::haste);
    note_slow(rulings && hardly_in_time(asked_at));
    if (rulings) {
        co_await apply(std::move(*rulings));
        co_return;
    }
    if (link_ == Link::fenced) {
        co_await let_go(all_let_go(std::move(rows)));
        co_return;
    }
    unreachable();
    const auto may_not = [](const GoCandidate& row) { return !row.item.offline_ok; };
    if (rulings.error().is(sync::SyncErrc::transport)) std::ranges::copy_if(rows, std::back_inserter(unanswered_), may_not);
    std::erase_if(rows, may_not);
    if (!unanswered_.empty()) insist_.raise();
    shared_.go_wake.raise();  // behind these there may be rows that can do without
    co_await go_without(std::move(rows));
}

aio::awaitable<void> GoAhead::insist() {
    while (!shared_.stopping) {
        if (unanswered_.empty()) co_await insist_.wait();
        if (unanswered_.empty() || shared_.stopping) continue;
        // a line that was away for a moment is back by then; only a server that is slow needs all its time
        const Instant asked_at = context_.clock.now();
        auto rulings = co_await answers_to(unanswered_, sync::Patience::haste);
        bool slow = hardly_in_time(asked_at);
        if (!rulings && rulings.error().is(sync::SyncErrc::transport) && !shared_.stopping && link_ != Link::fenced) {
            rulings = co_await answers_to(unanswered_, sync::Patience::full);
            slow = true;
        }
        auto asked = std::exchange(unanswered_, {});
        const auto refused = [](const GoRuling& ruling) { return ruling.refusal == "fenced"; };
        if (link_ == Link::fenced && (!rulings || std::ranges::any_of(*rulings, refused))) {
            // the question before was heard, as far as anybody knows: a box that is fenced is told nothing of it
            co_await let_go(all_let_go(std::move(asked)));
        } else if (rulings) {
            note_slow(slow);
            not_before_ = {};
            shared_.go_wake.raise();
            co_await apply(std::move(*rulings));
        } else {
            unreachable();  // what had no answer is asked for again when its turn comes
        }
    }
}

aio::awaitable<void> GoAhead::round(WallTime now) {
    auto asking = request(now);
    const bool offline = asking.offline;
    auto choose = [env = context_.env, asking = std::move(asking)](Tx& tx) { return choose_for_go(tx, *env, asking); };
    auto batch = co_await context_.store.run(choose);
    if (!batch) co_return;
    shared_.note(batch->changed);
    if (!batch->changed.empty()) shared_.go_wake.raise();  // behind what had to wait there may be one that need not
    if (batch->rows.empty()) co_return;
    if (offline)
        co_await go_without(std::move(batch->rows));
    else
        co_await ask(std::move(batch->rows));
}

aio::awaitable<void> GoAhead::run() {
    shared_.go_asked = false;
    while (!shared_.stopping) {
        const Instant now_is = context_.clock.now();
        const Instant until = not_before_ > now_is ? std::min(not_before_, now_is + look_again) : now_is + look_again;
        co_await shared_.go_wake.wait_until(until);
        const auto now = context_.wall();
        if (shared_.stopping || !now || !shared_.recovered || link_ == Link::greeting || link_ == Link::fenced) continue;
        shared_.go_asked = true;  // modems that finish meanwhile may wait for it a moment
        co_await round(*now);
        shared_.go_asked = false;
        for (ModemService* modem : shared_.modems) modem->go_answered();
    }
    insist_.raise();  // it ends too
}

}  // namespace conductor::service
