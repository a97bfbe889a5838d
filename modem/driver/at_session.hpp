#pragma once
// One AT session on an open port: a reader that always runs, one command at a time, absolute deadlines.
#include <deque>
#include <functional>
#include <memory>
#include <string>

#include "modem/at/dialogue.hpp"
#include "modem/at/errors.hpp"
#include "modem/driver/modem.hpp"
#include "modem/profile/profile.hpp"

namespace conductor::driver {

/// What the modem said unasked, in bounded queues. It outlives the session.
struct Inbox {
    explicit Inbox(aio::Executor ex) : attention{ex}, direct{ex} {}
    static constexpr std::size_t max_urcs = 256, max_handed_over = 1024;
    static constexpr std::chrono::seconds report_patience{20}, acknowledge_within{10};
    struct HandedOver {
        at::Direct pdu;
        std::uint64_t incarnation = 0;
        Instant acknowledge_by{};
        int refused = 0;  ///< by the Host
    };

    aio::Event attention;                   ///< something in `urcs`, the port is lost, the modem rebooted, or the Host wants something
    aio::Event direct;                      ///< something in `handed_over`
    std::deque<at::Urc> urcs;               ///< without noise
    std::deque<HandedOver> handed_over;     ///< +CMT and +CDS: the modem has no copy
    std::deque<at::Stored> stored_reports;  ///< +CDSI: these can wait
    Instant reports_by{};                   ///< until when
    std::uint64_t incarnation = 0;          ///< of the session, and of the modem between two restarts: an acknowledgement is for its own
    std::uint64_t dropped = 0;              ///< what the limits refused
    std::uint64_t boots = 0, brown_outs = 0;
    Instant answered_at{}, boot_line_at{};  ///< the last final result; the last line of the kind that some modems repeat for ever
    std::function<void()> power_warning;    ///< the modem said that its voltage is too low
    std::uint64_t noise = 0;
};

/// How a submission ended whose final result is `final`, a refusal.
SubmitOutcome outcome_of(const at::FinalResult& final, at::Phase phase);
at::FailureKind kind_of(const at::FinalResult& final);

class AtSession : public std::enable_shared_from_this<AtSession> {
public:
    AtSession(aio::Executor ex, std::unique_ptr<port::ByteStream> stream, std::shared_ptr<Inbox> inbox);

    /// Spawns the reader, which ends when the port is lost or closed.
    void start();
    /// A final result of any kind is a Reply; an Error is timeout, lost, rebooted or interrupted. After a timeout the next command first
    /// resynchronises, so that a late answer is never taken for its own; it fails with `timeout`, unwritten, while nothing answers.
    aio::awaitable<Result<at::Reply>> run(at::Command command);
    aio::awaitable<Result<at::Reply>> run(std::string line) { return run(at::command(std::move(line))); }
    /// AT+CMGS with its prompt. Only the deadline, the port's loss, a reboot, or a modem that is idle again a minute later end the wait
    /// after Ctrl-Z.
    aio::awaitable<SubmitOutcome> submit(pdu::Encoded pdu, const profile::Profile& profile);
    /// AT+CMGW with its prompt: the PDU lies in the modem's storage as "stored unsent", nothing is sent. The slot's index; refused (with
    /// what the modem said) or what else ended it.
    struct Written {
        std::optional<int> index;
        bool refused = false;  ///< a final result said no: nothing is stored
        std::string reason;    ///< "cms-322", "timeout" ...
    };
    aio::awaitable<Written> write_stored(pdu::Encoded pdu, const profile::Profile& profile);
    /// AT+CMSS: sends what lies in slot `index`. As after Ctrl-Z: only the deadline, the port's loss or a reboot end the wait.
    aio::awaitable<SubmitOutcome> submit_stored(int index);
    /// ESC, AT (every second time ATV1Q0), and silence afterwards; true when the modem answers. What was late by then belongs to nobody.
    aio::awaitable<bool> resync(int tries);
    /// Waits until a URC or a final result that nobody asked for comes, or `until`.
    aio::awaitable<void> listen_until(Instant until);
    /// Reads until the line is silent for `quiet`, at most `most`.
    aio::awaitable<void> drain(std::chrono::milliseconds quiet, std::chrono::milliseconds most);
    /// Ends what runs with `interrupted`, except a submission past Ctrl-Z; later commands end at once until resume().
    void interrupt();
    void resume() { interrupted_ = false; }
    void close();
    aio::awaitable<void> ended();  ///< the reader has ended

    /// What the last command owned before it ended without a final result.
    const std::vector<std::string>& partial() const { return partial_; }
    bool lost() const { return lost_; }
    /// The modem restarted since the last call.
    bool take_reboot() { return std::exchange(rebooted_, false); }
    bool rebooted() const { return rebooted_; }
    /// The last final result that no command owned, with what it was; cleared by the call.
    std::optional<at::FinalResult> take_stray_final() { return std::exchange(stray_final_, std::nullopt); }
    std::uint64_t echoes() const { return dialogue_.echoes(); }
    std::uint64_t heard() const { return heard_; }  ///< reads that brought octets
    int descriptor() const { return stream_->descriptor(); }
    std::optional<Instant> ctrl_z_at() const { return ctrl_z_at_; }  ///< of the last submission of this session

private:
    aio::awaitable<void> read_loop();
    /// True when what comes next is the answer to what is written next.
    aio::awaitable<bool> in_step();
    aio::awaitable<std::string> hindrance();
    void on_event(at::Event event);
    void on_urc(at::Urc urc);
    aio::awaitable<Result<void>> write(std::string octets);
    /// Hex text behind a prompt, without its Ctrl-Z. False: its echo shows that the modem did not take all of it.
    aio::awaitable<Result<bool>> write_echoed(std::string hex, std::size_t pace);
    /// The PDU behind a prompt was not taken whole, or the line ended: nothing was sent.
    aio::awaitable<SubmitOutcome> cancel_body(Result<bool> taken);
    aio::awaitable<Result<void>> write_paced(std::string octets, std::size_t pace);
    /// Waits for `done()`; an error when it never comes.
    aio::awaitable<Result<void>> wait_for(std::function<bool()> done, Instant until, std::string what);
    aio::awaitable<Result<void>> wait_for_reply(Instant until, std::chrono::milliseconds between, Instant last, std::string what);
    aio::awaitable<Result<void>> open_prompt(at::Command command, std::chrono::milliseconds patience);
    aio::awaitable<SubmitOutcome> before_prompt(Result<void> waited);
    aio::awaitable<SubmitOutcome> after_ctrl_z(Instant until);
    aio::awaitable<SubmitOutcome> not_taken(Error why);

    aio::Executor ex_;
    std::unique_ptr<port::ByteStream> stream_;
    std::shared_ptr<Inbox> inbox_;
    at::Dialogue dialogue_;
    aio::Event answer_, ended_;
    std::optional<at::Reply> reply_;
    std::vector<std::string> partial_;
    std::optional<at::FinalResult> stray_final_;
    bool prompted_ = false, past_ctrl_z_ = false;
    bool lost_ = false, rebooted_ = false, interrupted_ = false, started_ = false, reader_ended_ = false;
    bool out_of_step_ = false;  ///< a command had no final result by its deadline: that may still come
    std::uint64_t heard_ = 0;
    std::optional<std::string> echo_;  ///< what is heard while a PDU is written, where its echo tells
    std::optional<Instant> ctrl_z_at_;
};

}  // namespace conductor::driver
