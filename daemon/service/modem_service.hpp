#pragma once
// One modem's side of the daemon: gives the driver its work from the queue and stores what the modem did and received.
#include <deque>
#include <map>

#include "daemon/dispatch/balance.hpp"
#include "daemon/dispatch/retry.hpp"
#include "daemon/dispatch/sim_limits.hpp"
#include "daemon/service/incoming.hpp"
#include "daemon/service/shared.hpp"

namespace conductor::service {

/// Which modem and SIM were last behind an index, as the settings of the database keep it: "modem.0.last".
std::string last_setting(ModemIndex index);
/// The ICCID that was accepted in the modem of this IMEI: "imei.350000000000017.sim".
std::string pair_setting(std::string_view imei);
std::string last_text(const driver::Identity& identity);
driver::Identity read_last(std::string_view text);

class ModemService final : public driver::Host {
public:
    /// `adopted`: descriptor from the FD store or -1; `awaiting_late`: a submission of the last process is open on it.
    ModemService(Context& context, Shared& shared, config::Modem config, driver::ModemSettings settings, int adopted, bool awaiting_late);

    aio::awaitable<void> run() { return modem_.run(); }
    const driver::ModemStatus& status() const { return modem_.status(); }
    driver::Modem& modem() { return modem_; }
    ModemIndex index() const { return config_.index; }
    const config::Modem& config() const { return config_; }
    bool idle() const { return idle_; }
    const dispatch::BalanceState& balance() const { return balance_; }
    bool balance_low() const { return balance_.amount && *balance_.amount < config_.balance.low; }
    /// The driver's, and what the SIM's balance needs.
    std::vector<driver::Advice> advice() const;
    void poke() {
        idle_ = false;
        found_nothing_.reset();
        wake_.raise();
    }
    /// Supabase was asked, and what it let go can be taken.
    void go_answered() { go_answered_.raise(); }
    bool able() const;                                        ///< up, enabled, its SIM not resting
    bool lacks_room() const { return room_at_.has_value(); }  ///< for the message that goes first
    /// What became overdue leaves evenly: the next of it has to wait a moment.
    bool spaces_out(WallTime now) const { return spaced_until_ && *spaced_until_ > now; }
    WallTime next_part(WallTime now) { return window_.next_slot(now); }  ///< of a message of one part
    int room(WallTime now) { return window_.room(now); }                 ///< parts that its SIM's limits allow then
    int most_room() const { return window_.most_room(); }
    /// When its SIM may send again by its own limits; `now` when it may.
    WallTime next_slot(WallTime now) { return std::max(window_.next_slot(now), room_at_.value_or(now)); }
    std::string resting() const { return rest_reason_; }
    /// A person looked after the SIM: it works again at once.
    void end_rest();
    /// Disabled by a technician; remembered over restarts.
    aio::awaitable<Result<void>> enable(bool enabled, std::string actor);
    bool paused() const { return paused_; }
    /// It goes on to receive, to reply, and to complete what has begun.
    aio::awaitable<Result<void>> pause(bool paused, std::string actor);
    aio::awaitable<Result<void>> accept_sim(std::string actor);
    /// Limits, classes and costs of a configuration that was read again; its port and its SIM need a restart.
    void reload(config::Modem config);
    /// What the process before left open on a modem that is gone, or not up, is unknown once no answer can come any more.
    aio::awaitable<void> give_up_inherited();
    /// Reads what restarts must not forget: that a technician disabled or paused it.
    aio::awaitable<Result<void>> restore();

    aio::awaitable<std::optional<driver::Submission>> next(std::optional<driver::SubmitOutcome> finished, bool available) override;
    aio::Event& wake() override { return wake_; }
    Instant next_due() const override { return next_due_; }
    aio::awaitable<Result<void>> persist(driver::Incoming incoming) override;
    aio::awaitable<std::vector<bool>> persist_all(std::vector<driver::Incoming> incoming) override;
    aio::awaitable<void> late_reference(int tp_mr) override;
    aio::awaitable<void> late_refusal(driver::SubmitOutcome outcome) override;
    aio::awaitable<bool> may_enter_pin(driver::Identity who, std::string pin, std::optional<int> tries) override;
    aio::awaitable<void> note_pin(driver::Identity who, std::string pin, driver::PinNews news) override;
    aio::awaitable<bool> knows_sim(std::string iccid) override;
    void noted(std::string_view what, std::string detail) override;
    void incident(std::string_view kind) override;
    Instant balance_due() const override;
    std::string balance_code() override;
    void balance_answered(Result<std::string> text) override;
    aio::awaitable<bool> note_slot(std::int64_t token, std::optional<driver::StoredAt> at) override;
    aio::awaitable<std::vector<driver::SlotRuling>> judge_slots(driver::SlotReading reading) override;
    void slots_removed(std::vector<driver::StoredAt> slots) override;
    aio::awaitable<std::string> storing_of(driver::Identity who) override;
    aio::awaitable<void> remember_storing(driver::Identity who, std::string word) override;
    aio::awaitable<bool> accepts_sim(driver::Identity identity) override;
    void changed(const driver::ModemStatus& status) override;
    void clock_read(WallTime time) override;
    bool can_reset(driver::HardReset how, const std::string& usb) const override;
    aio::awaitable<Result<void>> hard_reset(driver::HardReset how, std::string usb) override;
    void port_changed(int descriptor) override { shared_.keep_descriptor(config_.index, descriptor); }
    bool enabled() const override { return enabled_; }
    bool stopping() const override { return shared_.stopping; }

private:
    aio::awaitable<bool> knows_pair(std::string imei, std::string iccid);
    aio::awaitable<void> keep_last(driver::Identity identity);
    aio::awaitable<void> load_balance(std::string iccid);
    aio::awaitable<Result<void>> keep_switch(std::string setting, bool set, std::string action, std::string actor);
    aio::awaitable<void> keep_setting(std::string name, std::string value);
    aio::awaitable<void> keep_note(std::string what, std::string detail);
    aio::awaitable<void> keep_flight(std::string kind, std::string text);
    void keep_balance();
    aio::awaitable<Result<void>> store_incoming(driver::Incoming incoming, store::Urgency urgency);
    /// Whose jobs the store keeps together.
    unsigned party() const { return config_.index + 1U; }
    void note_arrival(const Arrived& arrived, bool report, WallTime now);
    void note_outcome(const driver::SubmitOutcome& outcome);
    aio::awaitable<void> note_refusal(PickAnswer::Refused refused, WallTime now);
    void rest(std::string reason, bool until_usable = false, std::chrono::minutes length = std::chrono::minutes{15});
    void end_rest_of_usable(const driver::Identity& identity);
    aio::awaitable<bool> load_window(std::string iccid, WallTime now);
    aio::awaitable<void> keep_report(driver::Incoming report);
    aio::awaitable<void> settle_what_was_inherited(driver::SubmitOutcome outcome);
    bool may_send(WallTime now);
    bool nothing_new(WallTime now) const;
    aio::awaitable<void> wait_for_go();
    void look_again(WallTime when, WallTime now);
    void space_out(WallTime now);

    /// The queue had nothing for this modem; before `due` only news can change that.
    struct Nothing {
        std::uint64_t news = 0;
        Instant at, due;
        WallTime now{};
    };

    Context& context_;
    Shared& shared_;
    config::Modem config_;
    Log log_;
    aio::Event wake_, go_answered_;
    Instant given_{};                          ///< when the driver was given what it is through with
    std::optional<std::uint64_t> go_missing_;  ///< `news` when nothing but a go was missing to the message after this one
    Instant next_due_ = Instant::max();
    bool idle_ = false, enabled_ = true, paused_ = false;
    std::optional<Nothing> found_nothing_;
    bool inherited_ = false;  ///< the process before left a submission open on this modem
    bool settling_ = false;   ///< that is being stored
    Instant made_{};
    std::string rest_reason_;  ///< why the SIM rests; empty when it does not
    std::optional<Instant> rest_until_;
    std::deque<driver::Incoming> unstored_;  ///< reports that were handed over for good, and that the disk refused
    bool keeping_ = false;                   ///< somebody tries them again
    std::optional<WallTime> spaced_until_;   ///< no overdue message before that
    std::string rest_iccid_;                 ///< whose rest it is
    bool rest_until_usable_ = false;         ///< it rests because the modem could not use it
    bool unusable_seen_ = false;             ///< the modem itself was blocked or gone since that rest began
    int unusable_in_row_ = 0;                ///< such rests, with nothing accepted between them
    std::optional<WallTime> room_at_;        ///< the message that goes first has several parts, and its limits room for them then
    MessageId kept_for_{};                   ///< that message
    int passed_ = 0;                         ///< shorter ones that were sent before it
    dispatch::SimWindow window_;             ///< parts of this SIM in the rolling windows
    std::string window_iccid_;
    dispatch::SimStrikes strikes_;
    dispatch::BalanceState balance_;
    bool balance_pattern_fails_ = false;
    std::string balance_problem_;             ///< why the last answer gave no amount; empty after a restart
    std::string balance_iccid_;               ///< whose `balance_` is; empty before the SIM is known
    Instant notes_since_{};                   ///< of `notes_`
    int notes_ = 0;                           ///< lines of the audit in this hour
    std::map<std::string, Instant> flights_;  ///< the last record by kind of incident
    std::vector<driver::StoredAt> freed_;     ///< emptied slots, not yet committed as such
    driver::Modem modem_;
};

}  // namespace conductor::service
