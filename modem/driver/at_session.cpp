#include "modem/driver/at_session.hpp"

#include <algorithm>
#include <array>
#include <boost/asio/experimental/awaitable_operators.hpp>

#include "modem/at/answers.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;
using at::AtErrc;

namespace {

constexpr auto write_limit = 5s;
constexpr auto overdue = 60s;    ///< after Ctrl-Z: past it the network's own guard (TR1M, 35-45 s, TS 24.011 §10) has long ended
constexpr auto echo_limit = 2s;  ///< after the last octet of a PDU
constexpr char ctrl_z = '\x1a', escape = '\x1b';

SubmitOutcome ended_as(Ending ending, std::string reason) {
    SubmitOutcome outcome;
    outcome.ending = ending;
    outcome.reason = std::move(reason);
    return outcome;
}

std::string reason_of(const Error& error) {
    if (error.is(AtErrc::lost)) return "port-lost";
    if (error.is(AtErrc::rebooted)) return "rebooted";
    if (error.is(AtErrc::interrupted)) return "interrupted";
    return "timeout";
}

}  // namespace

at::FailureKind kind_of(const at::FinalResult& final) {
    if (final.kind == at::FinalResult::Kind::cms) return at::FailureKind::cms;
    if (final.kind == at::FinalResult::Kind::cme) return at::FailureKind::cme;
    return at::FailureKind::plain_error;
}

SubmitOutcome outcome_of(const at::FinalResult& final, at::Phase phase) {
    const at::Failure failure{kind_of(final), final.code, phase};
    const bool definite = phase == at::Phase::before_ctrl_z || at::is_definite(failure);
    SubmitOutcome outcome = ended_as(definite ? Ending::refused : Ending::ambiguous, at::word(final));
    if (final.kind == at::FinalResult::Kind::cms) outcome.cms = final.code;
    if (final.kind == at::FinalResult::Kind::cme) outcome.cme = final.code;
    return outcome;
}

AtSession::AtSession(aio::Executor ex, std::unique_ptr<port::ByteStream> stream, std::shared_ptr<Inbox> inbox)
    : ex_{ex}, stream_{std::move(stream)}, inbox_{std::move(inbox)}, answer_{ex}, ended_{ex} {}

void AtSession::start() {
    started_ = true;
    boost::asio::co_spawn(
        ex_, [](std::shared_ptr<AtSession> self) -> aio::awaitable<void> { co_await self->read_loop(); }(shared_from_this()),
        boost::asio::detached);
}

aio::awaitable<void> AtSession::read_loop() {
    std::array<std::uint8_t, 2048> buffer;
    for (;;) {
        const auto got = co_await stream_->read_some(buffer);
        if (!got) break;
        ++heard_;
        if (echo_ && echo_->size() < at::Lexer::max_line) {
            echo_->append(buffer.begin(), buffer.begin() + static_cast<std::ptrdiff_t>(*got));
            answer_.raise();
        }
        dialogue_.feed(std::span{buffer}.first(*got), [this](at::Event event) { on_event(std::move(event)); });
        if (past_ctrl_z_ && !dialogue_.so_far().empty()) answer_.raise();
    }
    lost_ = true;
    stream_->close();  // at once, else the kernel gives a replugged device another number
    answer_.raise();
    inbox_->attention.raise();
    reader_ended_ = true;
    ended_.raise();
}

void AtSession::on_event(at::Event event) {
    std::visit(overloaded{[&](at::Prompt) {
                              prompted_ = true;
                              answer_.raise();
                          },
                          [&](at::Finished& f) {
                              reply_ = std::move(f.reply);
                              answer_.raise();
                          },
                          [&](at::Urc& urc) { on_urc(std::move(urc)); },
                          [&](at::Stray& stray) {
                              if (!stray.final) return;
                              stray_final_ = stray.final;
                              inbox_->attention.raise();
                          }},
               event);
}

void AtSession::on_urc(at::Urc urc) {
    if (std::holds_alternative<at::Noise>(urc)) {
        ++inbox_->noise;
        return;
    }
    if (auto* direct = std::get_if<at::Direct>(&urc)) {
        if (inbox_->handed_over.size() == Inbox::max_handed_over) {
            ++inbox_->dropped;
            return;
        }
        inbox_->handed_over.push_back({std::move(*direct), inbox_->incarnation, BootClock::now() + Inbox::acknowledge_within});
        return inbox_->direct.raise();
    }
    const auto* boot = std::get_if<at::Boot>(&urc);
    if (boot && boot->brown_out) {
        ++inbox_->brown_outs;
        if (inbox_->power_warning) inbox_->power_warning();
    }
    if (boot && !boot->sure && !boot->brown_out) inbox_->boot_line_at = BootClock::now();
    if (boot && boot->sure) {
        ++inbox_->boots;
        ++inbox_->incarnation;
        rebooted_ = true;
        answer_.raise();
        return inbox_->attention.raise();
    }
    if (const auto* stored = std::get_if<at::Stored>(&urc); stored && stored->report && inbox_->stored_reports.size() < Inbox::max_urcs) {
        if (inbox_->stored_reports.empty()) inbox_->reports_by = BootClock::now() + Inbox::report_patience;
        inbox_->stored_reports.push_back(*stored);
        return inbox_->attention.raise();
    }
    if (inbox_->urcs.size() == Inbox::max_urcs) {
        ++inbox_->dropped;
        const auto is_state = [](const at::Urc& one) { return std::holds_alternative<at::Registration>(one); };
        const auto state = std::ranges::find_if(inbox_->urcs, is_state);  // the newest tell the present state; sweeps find what was stored
        inbox_->urcs.erase(state == inbox_->urcs.end() ? inbox_->urcs.begin() : state);
    }
    inbox_->urcs.push_back(std::move(urc));
    inbox_->attention.raise();
}

namespace {
aio::awaitable<Result<void>> write_noted(port::ByteStream* stream, std::span<const std::uint8_t> octets, bool* taken) {
    auto done = co_await stream->write(octets);
    *taken = done.has_value();
    co_return done;
}
}  // namespace

aio::awaitable<Result<void>> AtSession::write(std::string octets) {
    using namespace boost::asio::experimental::awaitable_operators;
    std::span<const std::uint8_t> view{reinterpret_cast<const std::uint8_t*>(octets.data()), octets.size()};
    const auto at_once = stream_->write_now(view);
    if (!at_once) {
        lost_ = true;
        co_return fail(AtErrc::lost, "write");
    }
    view = view.subspan(*at_once);
    if (view.empty()) co_return Result<void>{};
    bool taken = false;  // also when the limit passed at the very same time: the last octet may be a Ctrl-Z
    auto first = co_await (write_noted(stream_.get(), view, &taken) || aio::sleep_for(write_limit));
    if (taken) co_return Result<void>{};
    if (first.index() == 1) co_return fail(AtErrc::timeout, "write");
    if (!std::get<0>(first)) {
        lost_ = true;
        co_return fail(AtErrc::lost, "write");
    }
    co_return Result<void>{};
}

aio::awaitable<Result<void>> AtSession::write_paced(std::string octets, std::size_t pace) {
    if (pace == 0) co_return co_await write(std::move(octets));
    for (std::size_t at = 0; at < octets.size(); at += pace) {
        if (at > 0) co_await aio::sleep_for(20ms);
        auto done = co_await write(octets.substr(at, pace));
        if (!done) co_return done;
    }
    co_return Result<void>{};
}

aio::awaitable<Result<bool>> AtSession::write_echoed(std::string hex, std::size_t pace) {
    echo_.emplace();
    Result<void> done = co_await write_paced(hex, pace);
    const std::function<bool()> decided = [this, &hex] {
        const at::Echo echo = at::compare_echo(*echo_, hex);
        return echo == at::Echo::whole || echo == at::Echo::different || reply_.has_value();
    };
    if (done) done = co_await wait_for(decided, BootClock::now() + echo_limit, "echo");
    const at::Echo echo = at::compare_echo(*std::exchange(echo_, std::nullopt), hex);
    if (!done && !done.error().is(AtErrc::timeout)) co_return done.error();
    if (reply_) co_return false;                                  // it ended the command itself
    co_return echo == at::Echo::whole || echo == at::Echo::none;  // none: it echoes nothing, and tells nothing
}

aio::awaitable<SubmitOutcome> AtSession::cancel_body(Result<bool> taken) {
    dialogue_.abandon();
    out_of_step_ = true;
    const std::string cancel{escape};
    co_await write(cancel);
    co_return ended_as(Ending::not_sent, taken ? "echo-differs" : reason_of(taken.error()));
}

aio::awaitable<Result<void>> AtSession::wait_for(std::function<bool()> done, Instant until, std::string what) {
    for (;;) {
        if (done()) co_return Result<void>{};
        if (lost_) co_return fail(AtErrc::lost, std::move(what));
        if (rebooted_) co_return fail(AtErrc::rebooted, std::move(what));
        if (interrupted_ && !past_ctrl_z_) co_return fail(AtErrc::interrupted, std::move(what));
        const bool raised = co_await answer_.wait_until(until);
        if (!raised && !done() && BootClock::now() >= until) co_return fail(AtErrc::timeout, std::move(what));
    }
}

/// Until the deadline, or as long as lines of the answer come no further apart than `between`, to `last` at most.
aio::awaitable<Result<void>> AtSession::wait_for_reply(Instant until, std::chrono::milliseconds between, Instant last, std::string what) {
    const std::function<bool()> finished = [this] { return reply_.has_value(); };
    for (;;) {
        const std::size_t owned = dialogue_.owned();
        auto done = co_await wait_for(finished, until, what);
        if (done || !done.error().is(AtErrc::timeout) || dialogue_.owned() == owned || BootClock::now() >= last) co_return done;
        until = std::min(BootClock::now() + between, last);
    }
}

aio::awaitable<bool> AtSession::in_step() {
    if (!out_of_step_) co_return true;
    co_return co_await resync(2);
}

aio::awaitable<Result<at::Reply>> AtSession::run(at::Command command) {
    // A reboot that was seen and not yet taken ends every command: what runs next must be the bring-up.
    if (lost_) co_return fail(AtErrc::lost, command.line);
    if (interrupted_) co_return fail(AtErrc::interrupted, command.line);
    if (rebooted_) co_return fail(AtErrc::rebooted, command.line);
    const bool ready = co_await in_step();
    if (!ready && !command.blind) {
        if (lost_) co_return fail(AtErrc::lost, command.line);
        if (rebooted_) co_return fail(AtErrc::rebooted, command.line);
        co_return fail(interrupted_ ? AtErrc::interrupted : AtErrc::timeout, command.line);
    }
    if (rebooted_) co_return fail(AtErrc::rebooted, command.line);
    reply_.reset();
    answer_.clear();
    const auto timeout = command.timeout, between = command.between_lines, most = command.at_most;
    const std::string line = command.line;
    dialogue_.start(std::move(command));
    Result<void> done = co_await write("AT" + line + "\r");
    if (done) done = co_await wait_for_reply(BootClock::now() + timeout, between, BootClock::now() + most, line);
    if (done) {
        inbox_->answered_at = BootClock::now();
        co_return std::move(*std::exchange(reply_, std::nullopt));
    }
    partial_.assign(dialogue_.so_far().begin(), dialogue_.so_far().end());
    dialogue_.abandon();
    out_of_step_ = true;
    co_return done.error();
}

/// No PDU has left yet: whatever ended the wait, the network has nothing.
aio::awaitable<SubmitOutcome> AtSession::before_prompt(Result<void> waited) {
    if (waited && reply_) {
        if (!reply_->ok()) co_return outcome_of(reply_->final, at::Phase::before_ctrl_z);
        co_return ended_as(Ending::not_sent, "no-prompt");
    }
    dialogue_.abandon();
    out_of_step_ = true;
    if (waited.error().is(AtErrc::timeout)) {
        const std::string cancel{escape};  // T23: a prompt that comes late must not swallow the next command
        co_await write(cancel);
        co_return ended_as(Ending::not_sent, "no-prompt");
    }
    if (waited.error().is(AtErrc::interrupted)) {
        const std::string cancel{escape};
        co_await write(cancel);
    }
    co_return ended_as(Ending::not_sent, reason_of(waited.error()));
}

/// write() failed, so its last octet, the Ctrl-Z or CR, was not taken: nothing can be sent, once the modem forgot what it has of it.
aio::awaitable<SubmitOutcome> AtSession::not_taken(Error why) {
    dialogue_.abandon();
    out_of_step_ = true;
    const std::string cancel{escape};
    if (!lost_) co_await write(cancel);
    co_return ended_as(Ending::not_sent, reason_of(why));
}

/// A modem that was mute for a while, or restarted without a word, never gives the answer, though it hears again. So when that is overdue
/// it is asked for a sign of life: an OK that belongs to no reference says that it is done with the submission, whatever became of that.
/// One that says nothing may still be at it, and has until `until`.
aio::awaitable<SubmitOutcome> AtSession::after_ctrl_z(Instant until) {
    // After "+CMGS: n" only its OK is missing: that needs no minute.
    const std::function<bool()> referenced = [this] { return reply_.has_value() || !dialogue_.so_far().empty(); };
    const std::function<bool()> finished = [this] { return reply_.has_value(); };
    Result<void> waited = co_await wait_for(referenced, std::min(until, BootClock::now() + overdue), "+CMGS");
    const bool asked = !waited && waited.error().is(AtErrc::timeout) && BootClock::now() < until;
    if (asked) {
        out_of_step_ = true;  // its OK may come behind that of +CMGS
        const std::string sign_of_life = std::string{escape} + "\rAT\r";
        co_await write(sign_of_life);
        waited = co_await wait_for(referenced, until, "+CMGS");
    }
    if (waited && !reply_) waited = co_await wait_for(finished, std::min(until, BootClock::now() + 5s), "+CMGS");
    if (reply_ && !reply_->ok()) {
        SubmitOutcome refused = outcome_of(reply_->final, at::Phase::after_ctrl_z);
        if (asked && refused.cms.value_or(0) >= 300) refused.ending = Ending::ambiguous;  // the ESC may have ended it half-way
        co_return refused;
    }
    const auto tp_mr = at::parse_reference(reply_ ? at::Answer{reply_->lines} : dialogue_.so_far());
    if (!reply_) dialogue_.abandon();
    if (!reply_) out_of_step_ = true;
    if (tp_mr) {
        SubmitOutcome outcome = ended_as(Ending::accepted, "");
        outcome.tp_mr = *tp_mr;
        co_return outcome;
    }
    co_return ended_as(Ending::ambiguous, !waited ? reason_of(waited.error()) : asked ? "timeout" : "no-reference");
}

/// Why nothing may be written now; empty when it may.
aio::awaitable<std::string> AtSession::hindrance() {
    if (!lost_ && !rebooted_ && !interrupted_) {
        const bool ready = co_await in_step();
        if (ready) co_return std::string{};
    }
    co_return std::string{lost_ ? "port-lost" : rebooted_ ? "rebooted" : interrupted_ ? "interrupted" : "timeout"};
}

/// Writes a command that ends in '>'. Good also when a final result came instead: then there is a reply_.
aio::awaitable<Result<void>> AtSession::open_prompt(at::Command command, std::chrono::milliseconds patience) {
    reply_.reset();
    prompted_ = false;
    answer_.clear();
    const std::string line = command.line;
    dialogue_.start(std::move(command));
    Result<void> done = co_await write("AT" + line + "\r");
    const std::function<bool()> prompted = [this] { return prompted_ || reply_.has_value(); };
    if (done) done = co_await wait_for(prompted, BootClock::now() + patience, line);
    co_return done;
}

aio::awaitable<SubmitOutcome> AtSession::submit(pdu::Encoded pdu, const profile::Profile& profile) {
    std::string hindered = co_await hindrance();
    if (!hindered.empty()) co_return ended_as(Ending::not_sent, std::move(hindered));
    const at::Command cmgs = at::command("+CMGS=" + std::to_string(pdu.tpdu_length));
    Result<void> done = co_await open_prompt(cmgs, profile.prompt);
    if (!done || reply_) co_return co_await before_prompt(std::move(done));

    std::string body = pdu.hex();
    if (profile.echo_tells) {
        auto taken = co_await write_echoed(body, static_cast<std::size_t>(profile.pace_octets));
        body.clear();
        if (!taken || !*taken) co_return co_await cancel_body(std::move(taken));
    }
    past_ctrl_z_ = true;
    ctrl_z_at_ = BootClock::now();
    done = co_await write_paced(body + ctrl_z, static_cast<std::size_t>(profile.pace_octets));
    SubmitOutcome outcome;
    if (!done) {
        outcome = co_await not_taken(done.error());
    } else {
        outcome = co_await after_ctrl_z(BootClock::now() + cmgs.timeout);
    }
    past_ctrl_z_ = false;
    co_return outcome;
}

aio::awaitable<AtSession::Written> AtSession::write_stored(pdu::Encoded pdu, const profile::Profile& profile) {
    Written written;
    written.reason = co_await hindrance();
    if (!written.reason.empty()) co_return written;
    const at::Command cmgw = at::command("+CMGW=" + std::to_string(pdu.tpdu_length));
    Result<void> done = co_await open_prompt(cmgw, profile.prompt);
    if (!done || reply_) {
        const SubmitOutcome why = co_await before_prompt(std::move(done));
        written.refused = why.ending == Ending::refused;
        written.reason = why.reason;
        co_return written;
    }
    std::string body = pdu.hex();
    if (profile.echo_tells) {
        auto taken = co_await write_echoed(body, static_cast<std::size_t>(profile.pace_octets));
        body.clear();
        if (!taken || !*taken) {
            const SubmitOutcome why = co_await cancel_body(std::move(taken));
            written.reason = why.reason;
            co_return written;
        }
    }
    done = co_await write_paced(body + ctrl_z, static_cast<std::size_t>(profile.pace_octets));
    if (!done) {
        const SubmitOutcome why = co_await not_taken(done.error());
        written.reason = why.reason;
        co_return written;
    }
    const std::function<bool()> finished = [this] { return reply_.has_value(); };
    done = co_await wait_for(finished, BootClock::now() + cmgw.timeout, cmgw.line);
    if (reply_ && !reply_->ok()) {
        written.refused = true;
        written.reason = at::word(reply_->final);
        co_return written;
    }
    written.index = at::parse_reference(reply_ ? at::Answer{reply_->lines} : dialogue_.so_far());
    if (!reply_) dialogue_.abandon();
    if (!reply_) out_of_step_ = true;
    if (!written.index) written.reason = done ? "no-reference" : reason_of(done.error());
    co_return written;
}

aio::awaitable<SubmitOutcome> AtSession::submit_stored(int index) {
    std::string hindered = co_await hindrance();
    if (!hindered.empty()) co_return ended_as(Ending::not_sent, std::move(hindered));
    reply_.reset();
    answer_.clear();
    const at::Command cmss = at::command("+CMSS=" + std::to_string(index));
    dialogue_.start(cmss);
    past_ctrl_z_ = true;
    const Result<void> done = co_await write("AT" + cmss.line + "\r");
    SubmitOutcome outcome;
    if (!done) {
        outcome = co_await not_taken(done.error());
    } else {
        outcome = co_await after_ctrl_z(BootClock::now() + cmss.timeout);
    }
    past_ctrl_z_ = false;
    co_return outcome;
}

aio::awaitable<void> AtSession::drain(std::chrono::milliseconds quiet, std::chrono::milliseconds most) {
    const Instant end = BootClock::now() + most;
    for (std::uint64_t before = heard_ - 1; before != heard_ && !lost_ && !interrupted_ && BootClock::now() < end;) {
        before = heard_;
        answer_.clear();
        co_await answer_.wait_until(std::min(end, BootClock::now() + quiet));
    }
}

aio::awaitable<bool> AtSession::resync(int tries) {
    for (int i = 0; i < tries && !lost_ && !interrupted_ && !rebooted_; ++i) {
        dialogue_.reset();
        out_of_step_ = false;  // for the AT below
        const std::string cancel{escape, '\r'};
        auto done = co_await write(cancel);
        if (!done) continue;
        // result codes as numbers, or none (V.250 §6.2.5, §6.2.6), say nothing to us: every second time they are asked for as words
        at::Command at = at::command(i % 2 == 0 ? "" : "V1Q0");
        at.timeout = 1500ms;
        const auto reply = co_await run(std::move(at));
        if (!reply) continue;
        co_await drain(100ms, 1s);  // the ESC may have had an OK of its own, and a late answer may have been taken for that of AT
        co_return true;
    }
    out_of_step_ = true;
    co_return false;
}

aio::awaitable<void> AtSession::listen_until(Instant until) {
    co_await inbox_->attention.wait_until(until);
}

void AtSession::interrupt() {
    interrupted_ = true;
    answer_.raise();
}

void AtSession::close() {
    stream_->close();
}

aio::awaitable<void> AtSession::ended() {
    while (started_ && !reader_ended_) co_await ended_.wait();
}

}  // namespace conductor::driver
