#include "daemon/service/modem_service.hpp"

#include <algorithm>
#include <filesystem>

#include "daemon/service/commands.hpp"
#include "modem/driver/probe.hpp"
#include "modem/port/usb.hpp"

namespace conductor::service {

using driver::Ending;

namespace {

constexpr std::chrono::minutes ask_anyway{5};   // the queue is asked that often by a modem that is idle, news or not
constexpr std::chrono::seconds store_pause{1};  // between tries to store an outcome while the disk refuses
constexpr std::chrono::minutes longest_spacing{2};
constexpr std::chrono::seconds longest_commit{30};       // what the policy said before it does not hold any more
constexpr std::chrono::seconds longest_inheritance{80};  // a modem's answer comes within 70 s of its restart
constexpr std::size_t most_unstored = 500;               // reports in memory meanwhile

std::string disabled_setting(ModemIndex index) {
    return fmt::format("modem.{}.disabled", index);
}
std::string paused_setting(ModemIndex index) {
    return fmt::format("modem.{}.paused", index);
}

}  // namespace

ModemService::ModemService(Context& context, Shared& shared, config::Modem config, driver::ModemSettings settings, int adopted,
                           bool awaiting_late)
    : context_{context},
      shared_{shared},
      config_{std::move(config)},
      log_{context.log.with("modem", config_.index)},
      wake_{context.executor},
      go_answered_{context.executor},
      inherited_{awaiting_late},
      made_{context.clock.now()},
      window_{{config_.per_minute, config_.per_hour, config_.per_day, config_.per_month}},
      modem_{context.executor, log_, std::move(settings), *this, adopted, awaiting_late, shared.open_port, shared.finder} {}

bool ModemService::able() const {
    const auto state = modem_.status().state;
    return enabled_ && rest_reason_.empty() && (state == driver::ModemState::ready || state == driver::ModemState::sending);
}

aio::awaitable<Result<void>> ModemService::restore() {
    const auto index = config_.index;
    auto job = [index](store::Tx& tx) {
        return std::pair{store::get_setting(tx, disabled_setting(index)), store::get_setting(tx, paused_setting(index))};
    };
    auto switched = co_await context_.store.read(job);
    if (!switched) co_return switched.error();
    if (switched->first) enabled_ = false;
    if (switched->second) paused_ = true;
    co_return Result<void>{};
}

void ModemService::reload(config::Modem config) {
    config_ = std::move(config);
    window_.set_limits({config_.per_minute, config_.per_hour, config_.per_day, config_.per_month});
    // a limit that was not there before has nothing to count from: the journal has it
    if (!window_iccid_.empty()) asio::co_spawn(context_.executor, load_window(window_iccid_, context_.record_time()), asio::detached);
    poke();
}

void ModemService::look_again(WallTime when, WallTime now) {
    const auto wait = std::clamp<std::chrono::milliseconds>(when - now, std::chrono::milliseconds{0}, std::chrono::hours{24});
    next_due_ = context_.clock.now() + wait;
}

bool ModemService::may_send(WallTime now) {
    if (rest_until_ && context_.clock.now() >= *rest_until_) {
        rest_until_.reset();
        rest_reason_.clear();
    }
    if (rest_until_) {
        next_due_ = *rest_until_;
        return false;
    }
    const auto slot = window_.next_slot(now);
    if (slot > now) {
        look_again(slot, now);
        return false;
    }
    return true;
}

/// An idle modem comes by after each of its polls. The database is asked only when its answer can have changed.
bool ModemService::nothing_new(WallTime now) const {
    if (!found_nothing_ || found_nothing_->news != shared_.news || !freed_.empty()) return false;
    const Instant boot = context_.clock.now();
    if (boot >= found_nothing_->due || boot >= found_nothing_->at + ask_anyway) return false;
    const auto jumped = (now - found_nothing_->now) - (boot - found_nothing_->at);
    return jumped < std::chrono::seconds{1} && jumped > -std::chrono::seconds{1};
}

/// A modem that is quicker than Supabase has nothing to send at this moment.
aio::awaitable<void> ModemService::wait_for_go() {
    const bool nothing_else = std::exchange(go_missing_, std::nullopt) == shared_.news;
    const Instant now = context_.clock.now();
    const bool quick = now - given_ < shared_.go_grace;  // a real modem takes longer: its result is not kept in memory
    if (!nothing_else || !quick || !shared_.go_asked || shared_.stopping) co_return;
    go_answered_.clear();
    co_await go_answered_.wait_until(now + shared_.go_grace);
}

void ModemService::note_outcome(const driver::SubmitOutcome& outcome) {
    auto& tally = shared_.tally;
    ++tally.submitted;
    switch (outcome.ending) {
        case Ending::accepted:
            ++tally.accepted;
            tally.last_accepted = context_.wall();
            break;
        case Ending::refused: ++tally.refused; break;
        case Ending::ambiguous: ++tally.ambiguous; break;
        case Ending::not_sent: ++tally.not_sent; break;
    }
    if (outcome.ending != Ending::accepted)
        log_.warning("submission-" + std::string{outcome.ending == Ending::refused     ? "refused"
                                                 : outcome.ending == Ending::ambiguous ? "ambiguous"
                                                                                       : "not-sent"},
                     {{"reason", outcome.reason}, {"attempt", outcome.token}});
}

aio::awaitable<std::optional<driver::Submission>> ModemService::next(std::optional<driver::SubmitOutcome> finished, bool available) {
    idle_ = false;
    next_due_ = Instant::max();
    if (finished) note_outcome(*finished);
    if (finished && finished->ending == Ending::accepted && available) co_await wait_for_go();
    if (inherited_ && shared_.recovered) {  // its answer did not come
        driver::SubmitOutcome open_end{.ending = Ending::ambiguous, .reason = "restarted"};
        co_await settle_what_was_inherited(std::move(open_end));
        if (inherited_ && !finished) {  // the disk refused, or is asked by housekeeping; what comes next must not be taken for it
            next_due_ = context_.clock.now() + store_pause;
            co_return std::nullopt;
        }
    }
    for (;;) {
        Turns::Turn turn = co_await shared_.turns.take();
        if (!shared_.recovered && !finished) {  // the disk does not take what the process before left open: nothing new before that
            next_due_ = context_.clock.now() + store_pause;
            co_return std::nullopt;
        }
        const bool sure = context_.wall().has_value();
        if (!sure) {  // an unsure clock fires nothing; what was done is settled with the best time there is
            next_due_ = context_.clock.now() + std::chrono::seconds{10};
            if (!finished) co_return std::nullopt;
        }
        const WallTime now = context_.record_time();
        const bool free = sure && available && enabled_ && !shared_.stopping && may_send(now);
        if (!finished && !free) co_return std::nullopt;
        if (!finished && nothing_new(now)) {
            next_due_ = found_nothing_->due;
            idle_ = true;
            co_return std::nullopt;
        }
        const std::uint64_t news = shared_.news;
        if (free && spaced_until_ && *spaced_until_ > now + longest_spacing) spaced_until_.reset();  // the clock was ahead
        PickRequest request{.modem = config_.index,
                            .iccid = modem_.status().identity.iccid,
                            .finished = finished,
                            .available = free,
                            .paused = shared_.paused || paused_,
                            .spaced_until = spaced_until_,
                            .room = free ? window_.room(now) : 0,
                            .most_room = window_.most_room(),
                            .kept_for = kept_for_,
                            .passed = passed_,
                            .now = now,
                            .random = context_.rng(),
                            .imei = modem_.status().identity.imei,
                            .store_memory = modem_.status().store_memory,
                            .freed = freed_};
        const std::size_t freed = freed_.size();
        if (context_.env->config.supabase) request.granted = shared_.granted;
        if (free && shared_.modems.size() > 1) {
            request.others = shared_.live_but(config_.index, now);
            request.hand_over = shared_.hand_over;
        }
        auto job = [env = context_.env, request = std::move(request)](store::Tx& tx) { return settle_and_pick(tx, *env, request); };
        const Instant asked = context_.clock.now();
        auto answer = co_await context_.store.run(job, store::Urgency::now, party());
        if (answer) {
            const bool quiet = shared_.news == news;  // but for what this answer itself makes new
            shared_.note(answer->changed);
            if (finished) ++shared_.news;
            if (finished && !free) shared_.wake_for(answer->changed);
            const std::uint64_t seen = quiet ? shared_.news : news;
            freed_.erase(freed_.begin(), freed_.begin() + static_cast<std::ptrdiff_t>(std::min(freed, freed_.size())));
            if (finished && finished->ending == Ending::accepted) {
                strikes_.accepted();
                unusable_in_row_ = 0;
            }
            if (answer->pause_sim) rest(*answer->pause_sim, answer->until_usable);
            if (answer->refused) co_await note_refusal(std::move(*answer->refused), now);
            if (answer->wake != 0) shared_.wake_one(answer->wake);
            if (answer->waits_for_go) shared_.go_wake.raise();
            const bool late = answer->submission && answer->not_after && context_.wall().value_or(now) > *answer->not_after;
            if (late || (answer->submission && context_.clock.now() - asked > longest_commit)) {
                // the disk took so long that its lease, its time or its window is over: another box may have it by now, and nothing of it
                // left this one
                finished = driver::SubmitOutcome{.token = answer->submission->token};
                finished->ending = Ending::not_sent;
                finished->reason = "late-commit";
                note_outcome(*finished);
                continue;
            }
            if (answer->needs_room > 0) {
                if (std::exchange(kept_for_, answer->kept_for) != answer->kept_for) passed_ = 0;
                if (answer->submission) ++passed_;
            }
            if (answer->submission) {
                window_.add(now);
                if (answer->overdue) space_out(now);
                if (answer->more_ready) shared_.wake_one();
                if (answer->waits_for_go && !answer->more_ready && !answer->submission->more_follow) go_missing_ = shared_.news;
                given_ = context_.clock.now();
                co_return std::move(answer->submission);
            }
            if (free && answer->look_again) look_again(*answer->look_again, now);
            room_at_.reset();
            if (answer->needs_room > 0) {
                room_at_ = window_.next_slot(now, answer->needs_room);
                if (!answer->look_again || *room_at_ < *answer->look_again) look_again(*room_at_, now);
                shared_.wake_one(0, true);
            }
            idle_ = free;
            if (free) found_nothing_ = {.news = seen, .at = context_.clock.now(), .due = next_due_, .now = now};
            co_return std::nullopt;
        }
        // What cannot be journaled is not sent; what was done is stored as soon as the disk takes it.
        log_.error("journal-failed", {{"error", answer.error().text()}});
        if (finished && fails_for_good(answer.error()) && !context_.store.trouble()) {
            auto force = [env = context_.env, outcome = *finished, why = answer.error(), now](store::Tx& tx) {
                return settle_without(tx, *env, outcome, why, now);
            };
            auto forced = co_await context_.store.run(force);
            if (forced) {
                shared_.note(*forced);
                finished.reset();
                continue;
            }
        }
        next_due_ = context_.clock.now() + store_pause;
        if (!finished) co_return std::nullopt;
        turn.end();
        if (!co_await aio::sleep_for(store_pause) || shared_.stopping) co_return std::nullopt;
    }
}

/// After a stop what became overdue leaves evenly over the minute, not in one burst, with 20 % of jitter.
void ModemService::space_out(WallTime now) {
    spaced_until_.reset();
    if (config_.per_minute <= 0) return;
    const auto even = std::chrono::milliseconds{60'000} / config_.per_minute;
    const auto tenths = static_cast<std::int64_t>(context_.rng() % 401) - 200;  // per mille
    spaced_until_ = now + even + even * tenths / 1000;
}

void ModemService::rest(std::string reason, bool until_usable, std::chrono::minutes length) {
    rest_reason_ = std::move(reason);
    rest_until_ = context_.clock.now() + length;
    rest_iccid_ = modem_.status().identity.iccid;
    rest_until_usable_ = until_usable;
    unusable_seen_ = false;
    if (until_usable) ++unusable_in_row_;
    log_.error("sim-rests", {{"reason", rest_reason_}, {"minutes", length.count()}});
    shared_.wake_one();
}

void ModemService::end_rest() {
    rest_reason_.clear();
    rest_until_.reset();
    strikes_ = {};
    poke();
}

/// The modem was brought up with a SIM that is ready: another one, or the one that it could not use. A modem that calls its SIM ready and
/// refuses to use it all the same is not believed a second time.
void ModemService::end_rest_of_usable(const driver::Identity& identity) {
    if (!rest_until_) return;
    const bool believed = unusable_seen_ || unusable_in_row_ <= 1;
    const bool other = !identity.iccid.empty() && identity.iccid != rest_iccid_;
    if (!other && !(rest_until_usable_ && believed)) return;
    log_.notice("sim-rest-ended", {{"reason", rest_reason_}});
    rest_reason_.clear();
    rest_until_.reset();
    poke();
}

bool ModemService::can_reset(driver::HardReset how, const std::string& usb) const {
    const bool by_usb = config_.reset_usb && !usb.empty();
    return how == driver::HardReset::usb ? by_usb : by_usb || !config_.reset_command.empty();
}

/// The USB reset is the service's own right, by the group of the device node. The power cycle is not: a unit of root's is asked, by a file
/// beside the socket.
aio::awaitable<Result<void>> ModemService::hard_reset(driver::HardReset how, std::string usb) {
    if (how == driver::HardReset::usb) {
        const std::string node = port::usb_node_of(usb);
        if (node.empty()) co_return fail(port::PortErrc::not_found, usb);
        co_return co_await port::reset_usb_node(node, std::chrono::seconds{10});
    }
    const std::string folder = (std::filesystem::path{context_.env->config.gateway.socket}.parent_path() / "reset").string();
    co_return co_await port::request_power_cycle(folder, config_.index, std::move(usb), std::chrono::seconds{10});
}

/// Several numbers refused in a row are the SIM's trouble, not theirs: it rests, and what failed for it waits again.
aio::awaitable<void> ModemService::note_refusal(PickAnswer::Refused refused, WallTime now) {
    auto outcome = strikes_.refused(refused.verdict, refused.phone_number, refused.message, now);
    if (!outcome.pause) co_return;
    rest(outcome.reason, false, outcome.rest);
    if (outcome.reopen.empty()) co_return;
    auto job = [env = context_.env, ids = std::move(outcome.reopen), now](store::Tx& tx) { return reopen(tx, *env, ids, now); };
    auto reopened = co_await context_.store.run(job);
    if (reopened)
        shared_.note(*reopened);
    else
        log_.error("reopen-failed", {{"error", reopened.error().text()}});
}

aio::awaitable<Result<void>> ModemService::store_incoming(driver::Incoming incoming, store::Urgency urgency) {
    const bool report = incoming.kind == driver::Incoming::Kind::report;
    // an unsure clock must not lose a message: it is stored with the best time there is
    const WallTime now = context_.record_time();
    const auto again = incoming;
    auto job = [env = context_.env, incoming = std::move(incoming), now](store::Tx& tx) { return take_in(tx, *env, incoming, now); };
    if (!shared_.recovered) {  // it stays in the modem
        log_.error("incoming-not-stored", {{"error", "the database is not ready"}});
        co_return fail(store::StoreErrc::failed, "not recovered");
    }
    auto arrived = co_await context_.store.run(job, urgency, party());
    if (!arrived) {
        log_.error("incoming-not-stored", {{"error", arrived.error().text()}});
        if (!fails_for_good(arrived.error()) || context_.store.trouble()) co_return arrived.error();
        auto raw = [again, why = arrived.error(), now](store::Tx& tx) { return keep_raw(tx, again, why, now); };
        arrived = co_await context_.store.run(raw);
        if (!arrived) co_return arrived.error();
    }
    note_arrival(*arrived, report, now);
    co_return Result<void>{};
}

void ModemService::note_arrival(const Arrived& arrived, bool report, WallTime now) {
    auto& tally = shared_.tally;
    if (arrived.duplicate) {
        ++tally.inbound_duplicates;
    } else if (arrived.undecodable) {
        ++tally.inbound_undecodable;
        incident("undecodable");
    } else if (report) {
        ++tally.reports;
    } else {
        ++tally.inbound;
    }
    if (!report) tally.last_inbound = now;
    shared_.note(arrived.changed);
    if (arrived.message) shared_.sync_wake.raise();
    if (arrived.wants_sending) shared_.wake_all();
}

aio::awaitable<std::vector<bool>> ModemService::persist_all(std::vector<driver::Incoming> incoming) {
    if (!shared_.recovered) {  // they stay in the modem
        log_.error("incoming-not-stored", {{"error", "the database is not ready"}});
        co_return std::vector<bool>(incoming.size(), false);
    }
    const WallTime now = context_.record_time();
    auto job = [env = context_.env, incoming, now](store::Tx& tx) {
        std::vector<Arrived> arrived;
        for (const auto& one : incoming) arrived.push_back(take_in(tx, *env, one, now));
        return arrived;
    };
    auto arrived = co_await context_.store.run(job);
    std::vector<bool> kept(incoming.size(), arrived.has_value());
    for (std::size_t i = 0; i < incoming.size(); ++i) {
        if (arrived) {
            note_arrival((*arrived)[i], incoming[i].kind == driver::Incoming::Kind::report, now);
            continue;
        }
        // one of them may be the reason: it must not keep the others out
        const auto alone = co_await store_incoming(std::move(incoming[i]), store::Urgency::now);
        kept[i] = alone.has_value();
    }
    co_return kept;
}

aio::awaitable<Result<void>> ModemService::persist(driver::Incoming incoming) {
    // A report that was handed over directly, for good, shares the next commit; the modem does not wait for it.
    const bool handed_over = incoming.kind == driver::Incoming::Kind::report && incoming.memory.empty() && !incoming.needs_ack;
    const bool busy = modem_.status().state == driver::ModemState::sending;  // a commit follows
    const auto urgency = !incoming.patient ? store::Urgency::now : busy ? store::Urgency::late : store::Urgency::soon;
    if (!handed_over) return store_incoming(std::move(incoming), urgency);
    asio::co_spawn(context_.executor, keep_report(std::move(incoming)), asio::detached);
    return []() -> aio::awaitable<Result<void>> { co_return Result<void>{}; }();
}

/// The network will not send it again and the modem has forgotten it: it is tried until the disk takes it.
aio::awaitable<void> ModemService::keep_report(driver::Incoming report) {
    auto first = report;
    const auto stored = co_await store_incoming(std::move(first), store::Urgency::soon);
    if (stored) co_return;
    if (unstored_.size() >= most_unstored) {
        log_.error("report-dropped", {{"waiting", unstored_.size()}, {"reason", "the database does not take it"}});
        co_return;
    }
    unstored_.push_back(std::move(report));
    if (std::exchange(keeping_, true)) co_return;
    while (!unstored_.empty() && !shared_.stopping) {
        if (!co_await aio::sleep_for(store_pause)) break;
        for (bool taken = true; taken && !unstored_.empty();) {
            auto again = unstored_.front();
            const auto kept = co_await store_incoming(std::move(again), store::Urgency::now);
            // one that the schema forbids must not hold those behind it
            const bool hopeless = !kept && shared_.recovered && !context_.store.trouble() && fails_for_good(kept.error());
            if (hopeless) log_.error("report-dropped", {{"reason", kept.error().text()}});
            taken = kept.has_value() || hopeless;
            if (taken) unstored_.pop_front();
        }
    }
    keeping_ = false;
}

aio::awaitable<void> ModemService::late_reference(int tp_mr) {
    const WallTime now = context_.record_time();
    auto job = [env = context_.env, index = config_.index, tp_mr, now](store::Tx& tx) { return settle_late(tx, *env, index, tp_mr, now); };
    auto changed = co_await context_.store.run(job);
    if (!changed) {
        log_.error("late-reference-not-stored", {{"error", changed.error().text()}});
        co_return;
    }
    log_.notice("late-reference", {{"tp_mr", tp_mr}, {"bound", changed->size()}});
    if (!changed->empty()) inherited_ = false;
    shared_.note(*changed);
}

aio::awaitable<void> ModemService::late_refusal(driver::SubmitOutcome outcome) {
    return settle_what_was_inherited(std::move(outcome));
}

aio::awaitable<void> ModemService::settle_what_was_inherited(driver::SubmitOutcome outcome) {
    if (std::exchange(settling_, true)) co_return;
    const WallTime now = context_.record_time();
    auto job = [env = context_.env, index = config_.index, outcome = std::move(outcome), now, random = context_.rng()](store::Tx& tx) {
        return settle_inherited(tx, *env, index, outcome, now, random);
    };
    auto settled = co_await context_.store.run(job);
    settling_ = false;
    if (!settled) {
        log_.error("open-submission-not-settled", {{"error", settled.error().text()}});
        co_return;
    }
    inherited_ = false;
    shared_.note(settled->changed);
    shared_.wake_for(settled->changed);
}

aio::awaitable<void> ModemService::give_up_inherited() {
    if (!inherited_ || context_.clock.now() - made_ < longest_inheritance) co_return;
    driver::SubmitOutcome open_end{.ending = Ending::ambiguous, .reason = "restarted"};
    co_await settle_what_was_inherited(std::move(open_end));
}

aio::awaitable<bool> ModemService::knows_sim(std::string iccid) {
    return knows_pair(modem_.status().identity.imei, std::move(iccid));
}

aio::awaitable<bool> ModemService::knows_pair(std::string imei, std::string iccid) {
    if (iccid.empty() || (!config_.iccid.empty() && driver::same_iccid(config_.iccid, iccid))) co_return true;
    auto look = [index = config_.index, imei, iccid](store::Tx& tx) {
        const auto known = store::sim_of(tx, index);
        if (!known || known->empty() || driver::same_iccid(*known, iccid)) return true;
        const auto pair = store::get_setting(tx, pair_setting(imei));  // modem and SIM together, under another index before
        return !imei.empty() && pair && driver::same_iccid(*pair, iccid);
    };
    const auto known = co_await context_.store.read(look);
    co_return !known || *known;  // a database that cannot be read tells of no other SIM, and lets nothing be sent
}

/// Not vital: it finds the modem of a SIM that is locked after a power cut.
aio::awaitable<void> ModemService::keep_last(driver::Identity identity) {
    auto look = [index = config_.index, identity](store::Tx& tx) {
        return store::get_setting(tx, last_setting(index)) == last_text(identity) &&
               store::get_setting(tx, pair_setting(identity.imei)) == identity.iccid;
    };
    const auto same = co_await context_.store.read(look);
    if (!same || *same) co_return;
    auto job = [index = config_.index, identity](store::Tx& tx) {
        store::set_setting(tx, last_setting(index), last_text(identity));
        if (!identity.imei.empty()) store::set_setting(tx, pair_setting(identity.imei), identity.iccid);
    };
    const auto kept = co_await context_.store.run(job);
    if (!kept) log_.error("identity-not-kept", {{"error", kept.error().text()}});
}

aio::awaitable<bool> ModemService::accepts_sim(driver::Identity identity) {
    const WallTime now = context_.record_time();
    const bool named = !config_.imsi.empty() && config_.imsi == identity.imsi;
    const bool expected = co_await knows_pair(identity.imei, identity.iccid);
    if (!expected && !named) co_return false;
    if (!identity.iccid.empty()) {
        // looked up first: a disk that takes no writes must not hold a modem whose SIM is known
        auto look = [index = config_.index](store::Tx& tx) { return store::sim_of(tx, index); };
        auto known = co_await context_.store.read(look);
        if (known && !driver::same_iccid(known->value_or(""), identity.iccid)) {
            auto job = [index = config_.index, iccid = identity.iccid, now](store::Tx& tx) {
                store::set_sim(tx, index, iccid, now);
                store::audit(tx, now, "daemon", "sim", std::to_string(index), iccid);
            };
            auto accepted = co_await context_.store.run(job);
            if (!accepted) log_.error("sim-not-stored", {{"error", accepted.error().text()}});
        }
        co_await keep_last(identity);
    }
    end_rest_of_usable(identity);
    if (balance_iccid_ != identity.iccid) co_await load_balance(identity.iccid);
    // limits follow the SIM: its window is read from the journal where another SIM, or this one in another modem, was used since
    bool elsewhere = false;
    for (ModemService* other : shared_.modems) {
        if (other == this || other->window_iccid_ != identity.iccid) continue;
        other->window_iccid_.clear();
        elsewhere = true;
    }
    if (window_iccid_ == identity.iccid && !elsewhere) co_return true;
    strikes_ = {};
    co_return co_await load_window(identity.iccid, now);
}

/// Fills the SIM's window from the journal, as far back as its limits look.
aio::awaitable<bool> ModemService::load_window(std::string iccid, WallTime now) {
    struct Read {
        std::shared_ptr<const Journaled> all;
        std::vector<WallTime> times;  ///< newest first
    };
    auto job = [iccid, now, boot = context_.clock.now(), reach = window_.reach(), most = window_.most(),
                known = shared_.journaled](store::Tx& tx) {
        Read read{.all = known, .times = {}};
        if (most <= 0) return read;
        if (!known || known->reach < reach || known->most < most)
            read.all = std::make_shared<const Journaled>(Journaled{store::parts_of_sims(tx, now, reach, most), reach, most, boot});
        const auto newer = store::parts_of_sims(tx, now, reach, most, read.all->parts.newest);
        for (const auto* parts : {&newer, &read.all->parts})
            if (const auto of = parts->sims.find(iccid); of != parts->sims.end())
                std::ranges::copy(of->second, std::back_inserter(read.times));
        return read;
    };
    auto read = co_await context_.store.read(job);
    if (!read) co_return false;
    shared_.journaled = read->all;
    const auto last = window_iccid_ == iccid ? window_.last() : std::nullopt;
    window_iccid_ = std::move(iccid);
    window_.clear();
    for (auto it = read->times.rbegin(); it != read->times.rend(); ++it) window_.add(*it);
    if (last && (read->times.empty() || *last > read->times.front())) window_.add(*last);  // taken while the journal was read
    poke();
    co_return true;
}

aio::awaitable<Result<void>> ModemService::keep_switch(std::string setting, bool set, std::string action, std::string actor) {
    const WallTime now = context_.record_time();
    auto job = [index = config_.index, setting, set, action, actor, now](store::Tx& tx) {
        if (set)
            store::set_setting(tx, setting, actor);
        else
            tx.run("DELETE FROM settings WHERE name = ?", setting);
        store::audit(tx, now, actor, action, std::to_string(index));
    };
    auto done = co_await context_.store.run(job);
    co_return done;
}

aio::awaitable<Result<void>> ModemService::enable(bool enabled, std::string actor) {
    auto done = co_await keep_switch(disabled_setting(config_.index), !enabled, enabled ? "modem-enable" : "modem-disable", actor);
    if (!done) co_return done;
    enabled_ = enabled;
    poke();
    co_return done;
}

aio::awaitable<Result<void>> ModemService::pause(bool paused, std::string actor) {
    auto done = co_await keep_switch(paused_setting(config_.index), paused, paused ? "modem-pause" : "modem-resume", actor);
    if (!done) co_return done;
    paused_ = paused;
    shared_.wake_all();  // what is left to this one, or to others
    co_return done;
}

aio::awaitable<Result<void>> ModemService::accept_sim(std::string actor) {
    const WallTime now = context_.record_time();
    auto job = [index = config_.index, iccid = modem_.status().identity.iccid, actor = std::move(actor), now](store::Tx& tx) {
        store::set_sim(tx, index, iccid, now);
        store::audit(tx, now, actor, "accept-sim", std::to_string(index), iccid);
    };
    auto done = co_await context_.store.run(job);
    if (!done) co_return done.error();
    poke();
    co_return Result<void>{};
}

void ModemService::changed(const driver::ModemStatus& status) {
    // the driver logs its states itself; what is shown is read from status()
    using driver::ModemState;
    if (status.state == ModemState::blocked || status.state == ModemState::absent) unusable_seen_ = true;
}

void ModemService::clock_read(WallTime time) {
    shared_.told_time(TimeSource::modem, context_.clock.now(), time);
}

void Shared::wake_one(std::uint64_t lane, bool with_room) {
    ++news;
    ModemService* chosen = nullptr;
    for (ModemService* modem : modems) {
        if (!modem->idle() || !modem->able()) continue;
        if (lane != 0 && !(lane >> (modem->index() & 63) & 1)) continue;
        if (with_room && modem->lacks_room()) continue;
        if (!chosen || (chosen->paused() && !modem->paused())) chosen = modem;
    }
    if (!chosen) return;
    // round robin: the one that was woken goes to the end
    std::ranges::rotate(std::ranges::find(modems, chosen), std::next(std::ranges::find(modems, chosen)), modems.end());
    chosen->poke();
}

std::vector<LiveSim> Shared::live_but(ModemIndex modem, WallTime now) {
    std::vector<LiveSim> live;
    for (ModemService* other : modems)
        if (other->index() != modem && other->able() && !other->paused() && other->next_slot(now) <= now)
            live.push_back({other->index(), other->status().identity.iccid});
    return live;
}

void Shared::wake_all() {
    ++news;
    for (ModemService* modem : modems) modem->poke();
}

void Shared::wake_for(const std::vector<Changed>& changed) {
    if (std::ranges::any_of(changed, [](const Changed& one) { return one.status == MessageStatus::queued; })) wake_all();
}

void Shared::note(const std::vector<Changed>& changed) {
    for (const auto& change : changed)
        if (static_cast<std::size_t>(change.status) < std::size(tally.ended)) ++tally.ended[static_cast<std::size_t>(change.status)];
    if (changed.empty()) return;
    ++news;
    sync_wake.raise();
}

}  // namespace conductor::service
