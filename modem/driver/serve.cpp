// A modem that is up: submits, receives between messages, looks after itself when idle.
#include <algorithm>

#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;
using at::AtErrc;

namespace {
constexpr auto poll_registered = 58s, poll_searching = 10s;
}  // namespace

Instant Modem::Impl::next_poll() const {
    // Spread over some seconds, so that eight modems do not wake together.
    const auto jitter = std::chrono::milliseconds{
        (static_cast<std::uint32_t>(settings_.index) * 7919U + static_cast<std::uint32_t>(quiet_polls_) * 1637U) % 5000U};
    return std::min(sweep_again_at_, last_poll_ + (registered() ? poll_registered + jitter : poll_searching + jitter / 5));
}

/// What cannot wait for the end of a burst. Stored reports can, until their memory is half full or they are old.
bool Modem::Impl::work_waits() const {
    const bool reports =
        !inbox_->stored_reports.empty() && (inbox_->stored_reports.size() >= report_room() || BootClock::now() >= inbox_->reports_by);
    return reports || !inbox_->urcs.empty() || !requests_.empty() || sweep_wanted_ || routing_wants_care();
}

bool Modem::Impl::idle_work_waits() const {
    return !acknowledgements_due_.empty() || !inbox_->stored_reports.empty() || recheck_due();
}

std::size_t Modem::Impl::report_room() const {
    const auto known = std::ranges::find(status_.storage, "SR", &ModemStatus::Storage::memory);
    return known == status_.storage.end() ? 1 : static_cast<std::size_t>(std::max(1, known->total / 2));
}

/// Sends what the Host gives. What ended is settled first, with next(): nothing comes between +CMGS and that call.
aio::awaitable<End> Modem::Impl::serve() {
    std::optional<SubmitOutcome> finished;
    End end = co_await between_messages();  // a STOP that came while nobody listened is read before anything is sent
    bool looked = true;                     // after each look at what arrived a message may go out, however much arrives
    for (;;) {
        if (end == End::ok) end = condition();
        const bool settle_only = end != End::ok || (work_waits() && !looked) || bring_up_wanted_;
        looked = false;
        const bool mid = finished && finished->ending == Ending::accepted && mid_message_;
        const bool available = end == End::ok && registered() && (mid || !settle_only);
        if (finished || available) {
            const auto ended = finished;
            auto submission = co_await ask_next(std::exchange(finished, std::nullopt), available);
            if (ended) note_slot_of(*ended);
            if (submission && unfit_) {  // it would take the length for a number, and the PDU for a text
                finished.emplace().token = submission->token;
                finished->reason = "rebooted";
                continue;
            }
            if (submission) {
                set(ModemState::sending);
                if (!acknowledgements_due_.empty()) co_await acknowledge(10s);  // of this commit; a failure is found by submit()
                finished = co_await submit(std::move(*submission));
                note_ending(*finished);
                end = co_await settle_trouble(*finished);
                continue;
            }
        }
        if (end == End::stop) co_await acknowledge_last();
        if (end != End::ok) co_return end;
        if (bring_up_wanted_) co_return End::again;
        if (work_waits() || idle_work_waits() || BootClock::now() >= next_poll()) {
            end = co_await between_messages();
            looked = true;
            continue;
        }
        const auto tended = co_await tend_slots();
        if (!tended) end = end_of(tended.error());
        if (!tended || *tended) continue;
        if (registered()) {
            show_ready();
        } else {
            set(ModemState::searching, std::string{network_.word()}, network_.sentence());
        }
        if (BootClock::now() >= care_due()) {
            if (const auto done = co_await care(); !done) end = end_of(done.error());
            continue;
        }
        Instant until = std::min(registered() ? std::min(next_poll(), host_.next_due()) : next_poll(), care_due());
        if (!open_slots_.empty()) until = std::min(until, slots_due_);
        co_await inbox_->attention.wait_until(std::min(until, next_recheck()));
        session_->take_stray_final();
    }
}

/// What belongs between two messages: what arrived, technicians' commands, and the poll when it is due.
aio::awaitable<End> Modem::Impl::between_messages() {
    if (const auto done = co_await acknowledge(10s); !done) co_return end_of(done.error());
    co_await recheck_routing();
    if (routing_wants_care())
        if (const auto done = co_await mend_routing(); !done) co_return end_of(done.error());
    if (const auto done = co_await take_urcs(); !done) co_return end_of(done.error());
    if (!requests_.empty()) co_await serve_requests();
    if (std::exchange(sweep_wanted_, false)) {
        if (const auto done = co_await sweep(true); !done) co_return end_of(done.error());
        publish();
    }
    if (BootClock::now() >= next_poll()) co_return co_await poll();
    co_return condition();
}

aio::awaitable<SubmitOutcome> Modem::Impl::submit(Submission submission) {
    const std::int64_t token = submission.token;
    if (submission.more_follow) {
        const auto kept = co_await keep_link();
        if (!kept) {
            SubmitOutcome none;
            none.token = token;
            none.reason = kept.error().is(AtErrc::lost) ? "port-lost" : kept.error().is(AtErrc::rebooted) ? "rebooted" : "timeout";
            co_return none;
        }
    }
    mid_message_ = submission.more_follow;
    SubmitOutcome outcome;
    if (submission.store && storing_ != Storing::no)
        outcome = co_await submit_through_storage(std::move(submission));
    else if (submission.store)
        outcome = co_await submit_without_storage(std::move(submission), status_.journal_reason);
    else
        outcome = co_await session_->submit(std::move(submission.pdu), *profile_);
    outcome.token = token;
    busy_at_ = BootClock::now();
    if (link_until_ != Instant{}) link_until_ = busy_at_ + profile_->link_window;
    if (outcome.ending == Ending::ambiguous) host_.incident("ambiguous");
    if (outcome.ending != Ending::accepted) {
        mid_message_ = false;
        log_.notice("submit-ended", {{"ending", static_cast<int>(outcome.ending)}, {"reason", outcome.reason}});
    }
    co_return outcome;
}

/// What a submission that did not go well says about the modem. Nothing here waits for anything but the modem itself.
aio::awaitable<End> Modem::Impl::settle_trouble(const SubmitOutcome& outcome) {
    const End end = condition();
    if (outcome.ending == Ending::accepted) {
        submit_failures_ = 0;
        set_up_for_errors_ = false;
        ladder_.sends();
        co_return end;
    }
    if (end != End::ok) co_return end;
    const bool answered = outcome.ending == Ending::refused || (outcome.ending == Ending::ambiguous && outcome.reason != "timeout");
    if (answered && (outcome.cms || outcome.cme)) {
        const at::FailureKind kind = outcome.cms ? at::FailureKind::cms : at::FailureKind::cme;
        const auto code = outcome.cms ? outcome.cms : outcome.cme;
        const bool unusable = at::is_sim_unusable(kind, code);
        const at::Verdict verdict = at::classify({kind, code, at::Phase::before_ctrl_z});
        if (verdict.scope == at::Scope::network || verdict.scope == at::Scope::recipient) ladder_.sends();
        const bool no_service = outcome.cms == 50 || outcome.cms == 69 || outcome.cms == 500;
        if (no_service && network_.plan_without_sms()) {  // row 32: the next one would end like this one
            network_.sms_refused(BootClock::now());
            log_.warning("plan-without-sms", {{"result", outcome.reason}});
        }
        const bool full = outcome.cms == 322 || outcome.cms == 208 || outcome.cms == 211 || outcome.cme == 20;
        if (full) sweep_wanted_ = true;
        // row 84: the centre is read and put back
        if (outcome.cms == 330 && !(centre_missed_at_ && BootClock::now() - *centre_missed_at_ < 10min)) {
            centre_missed_at_ = BootClock::now();
            co_return End::again;
        }
        if (unusable || verdict.error_class != at::ErrorClass::modem) {
            submit_failures_ = 0;
            co_return unusable ? End::again : End::ok;  // the bring-up finds out what is wrong with the SIM, and when it is well again
        }
    }
    bool answers = true;
    if (!answered) answers = co_await session_->resync(3);
    if (!answers) co_return condition() == End::ok ? End::mute : condition();
    if (++submit_failures_ < 3) co_return condition();
    submit_failures_ = 0;
    const bool bare = answered && !outcome.cms && !outcome.cme;
    if (bare && !std::exchange(set_up_for_errors_, true)) co_return End::again;  // its settings may be gone
    co_return End::unable;
}

/// Health, registration, storage: what a URC that was lost would have said. Some settings less often.
aio::awaitable<End> Modem::Impl::poll() {
    last_poll_ = BootClock::now();
    sweep_again_at_ = Instant::max();
    const int round = quiet_polls_++;
    const auto signal = co_await ask("+CSQ");
    if (!signal) co_return end_of(signal.error());
    status_.rssi_dbm = at::parse_csq(*signal);
    co_await read_registration();
    if (round % 5 == 4) {
        const bool hold = co_await indications_hold();
        if (!hold) {
            log_.warning("settings-lost");
            co_return End::again;
        }
        const auto same = co_await sim_holds();
        if (!same) co_return end_of(same.error());
        if (!*same) co_return End::again;
        co_await read_operator();
    }
    if (round % 30 == 29 || (clock_wanted_ && registered()))
        if (const auto done = co_await read_clock(); !done) co_return end_of(done.error());
    if (const auto done = co_await sweep(round % 10 == 9); !done) co_return end_of(done.error());
    if (const End end = condition(); end != End::ok) co_return end;
    co_return co_await watch_network();
}

aio::awaitable<Result<AtAnswer>> Modem::Impl::perform_request(const Request& request) {
    if (request.ussd) return run_ussd(request.line);
    return perform(request.line);
}

namespace {

/// Everything but reads (+CSQ, +COPS?, +CMGF=?, I) and a bare AT.
bool may_change_settings(std::string_view line) {
    if (at::starts_with(line, "AT")) line.remove_prefix(2);
    if (line.empty() || line == "I" || line == "i") return false;
    if (line.find(';') != line.npos) return true;
    const bool extended = std::string_view{"+^*#$"}.find(line.front()) != line.npos;
    return !extended || (line.find('=') != line.npos && !line.ends_with("=?"));
}

}  // namespace

aio::awaitable<void> Modem::Impl::serve_requests() {
    while (!requests_.empty()) {
        const auto request = requests_.front();
        requests_.pop_front();
        if (request->withdrawn) continue;
        if (session_ && !session_->lost()) request->answer = co_await perform_request(*request);
        // AT+CMGF=1 or ATZ would make the next submission nonsense: whatever may have changed a setting brings all of them back
        if (!request->ussd && may_change_settings(request->line)) bring_up_wanted_ = true;
        request->done.raise();
    }
}

aio::awaitable<Result<AtAnswer>> Modem::Impl::perform(std::string line) {
    if (at::sends_or_calls(line)) co_return fail(AtErrc::forbidden, "command");
    if (at::starts_with(line, "AT")) line.erase(0, 2);
    if (line.find_first_of("\r\n\x1a\x1b") != std::string::npos || line.size() > 512) co_return fail(AtErrc::forbidden, "command");
    at::Command command = at::command(std::move(line));
    command.shape = at::Shape::loose;
    command.prompt = false;
    command.timeout = std::max<std::chrono::milliseconds>(command.timeout, 30s);
    selected_.clear();  // it may change what is selected
    auto reply = co_await session_->run(std::move(command));
    if (!reply) {
        if (reply.error().is(AtErrc::timeout)) co_await session_->resync(2);
        co_return reply.error();
    }
    AtAnswer answer;
    answer.lines = std::move(reply->lines);
    answer.final_result = reply->ok() ? "OK" : at::word(reply->final);
    co_return answer;
}

}  // namespace conductor::driver
