#pragma once
// The daemon's services behind the API: intake, queue, inbox, modems, opt-outs, status.
#include <memory>

#include "daemon/api/backend.hpp"
#include "daemon/service/housekeeping.hpp"
#include "daemon/service/intake.hpp"
#include "daemon/service/modem_service.hpp"
#include "daemon/service/why.hpp"

namespace conductor::service {

class SyncService;

class Gateway final : public api::Backend {
public:
    Gateway(Context& context, Shared& shared, std::vector<std::unique_ptr<ModemService>>& modems, SyncService* sync);

    /// Before anything is sent: settles what the last process left open, and holds what is queued where the database may be an older copy.
    /// `still_listening`: modems whose descriptor was kept with a submission open on it. Repeat it where it failed.
    aio::awaitable<Result<void>> recover(std::vector<ModemIndex> still_listening);
    /// Where modems, their classes or routes are others than when the queue was filled: what waits gets its modems anew.
    aio::awaitable<Result<void>> follow_configuration();
    /// Once a minute: overdue reports, concatenated messages that miss parts.
    aio::awaitable<void> housekeeping();

    aio::awaitable<api::Answer<api::Submitted>> submit(NewMessage message, api::Actor actor) override;
    aio::awaitable<std::vector<api::Answer<api::Submitted>>> submit_all(std::vector<NewMessage> messages, api::Actor actor) override;
    aio::awaitable<api::Answer<Message>> message(MessageId id) override;
    aio::awaitable<api::Answer<nlohmann::json>> explain(MessageId id) override;
    aio::awaitable<api::Answer<api::Page>> list(api::ListQuery query) override;
    aio::awaitable<api::Answer<Message>> cancel(MessageId id, api::Actor actor) override;
    aio::awaitable<api::Answer<Message>> retry(MessageId id, api::Actor actor) override;
    aio::awaitable<api::Answer<Message>> mark_read(MessageId id, api::Actor actor) override;
    aio::awaitable<api::Answer<api::Page>> claim_inbox(api::ClaimRequest request) override;
    aio::awaitable<api::Answer<void>> pause(bool paused, api::Actor actor, std::string campaign = {}) override;
    nlohmann::json modems() const override;
    api::Answer<nlohmann::json> modem(ModemIndex index) const override;
    aio::awaitable<api::Answer<nlohmann::json>> modem_action(ModemIndex index, std::string action, api::Actor actor) override;
    aio::awaitable<api::Answer<nlohmann::json>> modem_at(ModemIndex index, std::string command, api::Actor actor) override;
    api::Answer<nlohmann::json> preview(std::string_view text) const override;
    aio::awaitable<api::Answer<nlohmann::json>> modem_ussd(ModemIndex index, std::string code, api::Actor actor) override;
    api::Answer<std::string> modem_trace(ModemIndex index) const override;
    aio::awaitable<api::Answer<nlohmann::json>> discovery(bool ask, api::Actor actor) override;
    aio::awaitable<api::Answer<nlohmann::json>> probe_port(std::string name, api::Actor actor) override;
    aio::awaitable<api::Answer<std::vector<api::OptOut>>> opt_outs() override;
    aio::awaitable<api::Answer<api::OptOut>> set_opt_out(std::string number, bool active, std::string reason, api::Actor actor) override;
    aio::awaitable<api::Answer<nlohmann::json>> consent(std::string number) override;
    aio::awaitable<api::Answer<nlohmann::json>> set_consent(std::string number, nlohmann::json body, api::Actor actor) override;
    aio::awaitable<api::Answer<nlohmann::json>> status() override;
    aio::awaitable<api::Answer<nlohmann::json>> release_database(api::Actor actor) override;
    aio::awaitable<api::Answer<nlohmann::json>> sync_status() override;
    aio::awaitable<api::Answer<nlohmann::json>> sync_now(api::Actor actor) override;
    nlohmann::json health() const override;
    std::string metrics() const override;

private:
    using Change = std::function<api::Answer<void>(store::Tx&, const Env&, store::MessageRow&, WallTime)>;
    aio::awaitable<api::Answer<Message>> change(MessageId id, api::Actor actor, std::string action, Change change);
    ModemService* find_modem(ModemIndex index) const;
    /// What only memory knows, for why().
    /// The box at `now`, which is also when its answers are to hold; absent: the clock is not sure.
    BoxView view(std::optional<WallTime> now) const;
    /// A row as the API shows it: a message that waits has its reason.
    Message show(store::MessageRow row) const;
    nlohmann::json describe(const ModemService& modem) const;
    api::Refusal unavailable(const Error& error) const;
    /// Retention, ticks of the witness, the backup of the day.
    aio::awaitable<void> tidy(WallTime now);
    /// After a clock that was ahead: what it was told of then must not wait for that time to come.
    aio::awaitable<void> follow_clock(WallTime now);
    aio::awaitable<void> keep_clock(WallTime now, Instant boot);
    void note_damage();
    void look_after_file(WallTime now, bool idle);
    aio::awaitable<void> settle_held();
    aio::awaitable<Result<void>> hold_everything(std::string why, WallTime now);
    /// `why`: what is unsent has to be held; empty: it has not.
    aio::awaitable<Result<void>> begin_instance(std::string why);

    Context& context_;
    Shared& shared_;
    std::vector<std::unique_ptr<ModemService>>& modems_;
    SyncService* sync_;
    Instant started_;
    Sweep sweep_;
    Instant next_tidy_{}, next_tick_{};
    std::optional<Instant> swept_from_start_, looked_after_;
    std::shared_ptr<FileCare> file_care_ = std::make_shared<FileCare>();
    store::ReadyCursor expiry_at_, go_expiry_at_;
    store::QueueCounts queue_;                              ///< as it was counted whole last
    std::optional<std::chrono::milliseconds> kept_offset_;  ///< as it was stored last
    std::optional<std::pair<WallTime, Instant>> latest_;    ///< the time that it was last, or that the database knows, and when
    std::int64_t held_ = 0;                                 ///< queued rows that wait for a confirmation
    std::string held_why_;                                  ///< empty: nothing is held
    std::int64_t open_ = 0;  ///< open messages, as of the last job that knew; what has ended since is still in it
    /// The same where jobs count on: theirs alone, on the store's thread. Counted anew before anything is refused for it.
    std::shared_ptr<std::int64_t> counted_ = std::make_shared<std::int64_t>(0);
    Instant next_count_{};
};

/// A technician's command or USSD code that came to nothing: 409 what may not be given or was refused, 504 no answer in time, 502 an answer
/// that makes no sense, 503 no modem there now.
api::Refusal modem_refusal(const Error& error);

}  // namespace conductor::service
