#pragma once
// The inside of Modem, spread over: modem.cpp (life), bring_up.cpp, settings.cpp, routing.cpp (of reports), sim.cpp, registration.cpp,
// serve.cpp (sending, polls), receive.cpp, stored_submit.cpp (journal = "modem"), care.cpp (calls, clock, memories), recover.cpp, ussd.cpp.
#include <deque>
#include <map>
#include <set>

#include "modem/at/answers.hpp"
#include "modem/driver/at_session.hpp"
#include "modem/driver/ladder.hpp"
#include "modem/driver/modem.hpp"
#include "modem/driver/network_watch.hpp"
#include "modem/driver/power_watch.hpp"
#include "modem/port/recorder.hpp"
#include "modem/profile/profile.hpp"

namespace conductor::driver {

/// A technician's wish, done between messages.
struct Request {
    explicit Request(aio::Executor ex) : done{std::move(ex)} {}
    std::string line;
    bool ussd = false;
    bool withdrawn = false;
    Result<AtAnswer> answer = fail(at::AtErrc::not_open, "request");
    aio::Event done;
};

/// How reports (and messages, where <mt> is 2) reach us: chosen at bring-up by the profile and by what the modem accepts.
enum class Routing : std::uint8_t {
    acknowledged,  ///< +CSMS=1: +CDS and +CMT are acknowledged after their commit; until then the network has them
    stored,        ///< in a memory, told by +CDSI, read and deleted as messages are
    plain,         ///< +CDS and no acknowledgement: what nobody reads is lost
};
std::string_view to_string(Routing r);

/// Why a stage of the modem's life ended.
enum class End : std::uint8_t {
    ok,
    lost,      ///< the port is gone: close, open again
    mute,      ///< no answer: the ladder
    unable,    ///< it answers, and takes no message: the ladder
    again,     ///< the modem restarted or its SIM changed: bring up on the same port
    mismatch,  ///< another modem than the one that is meant
    blocked,   ///< needs a person
    stop,      ///< stopping, or disabled
    reset,     ///< a technician asked for a restart
};

class Modem::Impl {
public:
    Impl(aio::Executor ex, Log log, ModemSettings settings, Host& host, int adopted, bool awaiting_late, Opener opener, Finder* finder);

    aio::awaitable<void> run();
    aio::awaitable<Result<AtAnswer>> request(std::string line, bool ussd);
    bool request_reset();
    void set_pin(std::optional<std::string> pin, std::string problem);
    std::string trace() const { return port::format_transcript(recorder_->transcript()); }
    const ModemStatus& status() const { return status_; }

private:
    friend class Modem;
    using Lines = std::vector<std::string>;

    // modem.cpp: life
    aio::awaitable<void> live();
    aio::awaitable<void> watch_host();
    aio::awaitable<void> take_over();
    aio::awaitable<void> await_late();
    aio::awaitable<End> open();
    aio::awaitable<Result<std::unique_ptr<port::ByteStream>>> open_candidate();
    aio::awaitable<void> close();
    void not_open(const Error& error);
    aio::awaitable<void> rest_blocked();
    aio::awaitable<void> until_unwanted();
    aio::awaitable<void> rest(BootClock::duration most);  ///< until then, a wake or a URC; requests are served
    aio::awaitable<void> hold(BootClock::duration time);  ///< that long whatever the modem says; a stop or a person's wish ends it
    void attach(std::unique_ptr<port::ByteStream> stream, std::string name);
    void note_loss();
    BootClock::duration after_loss() const;
    void set(ModemState state, std::string reason = {}, std::string text = {});
    void publish();
    bool unwanted() const { return host_.stopping() || !host_.enabled(); }
    /// Lost, rebooted, unwanted ...: ok when nothing of it is so.
    End condition();
    End end_of(const Error& error) const;

    // bring_up.cpp
    aio::awaitable<End> bring_up();
    aio::awaitable<End> identify();
    End misplaced(const char* reason);
    std::string urcs_here();
    aio::awaitable<End> set_up();
    aio::awaitable<End> set_up_stores();
    void note_silence();
    void take_what_the_finder_heard();
    bool echo_is_back() const { return echoes_ && session_ && session_->echoes() != *echoes_; }
    aio::awaitable<Result<at::Reply>> query(std::string line);
    bool swallows(const std::string& line) const { return swallowed_.contains(line); }
    /// Runs a command whose refusal does not matter; the lines of its answer, empty when refused. Transport errors end the stage.
    aio::awaitable<Result<Lines>> ask(std::string line);
    aio::awaitable<Result<bool>> tell(std::string line);
    /// Again while the modem says "busy" (CME 14, 515 ...), at most until `until`.
    aio::awaitable<Result<at::Reply>> patient(std::string line, Instant until);

    // routing.cpp
    aio::awaitable<End> set_up_indications();
    aio::awaitable<Result<bool>> try_indications(Routing routing, bool any);
    bool had_indications();
    aio::awaitable<bool> indications_hold(bool just_set = false);
    aio::awaitable<void> recheck_routing();
    aio::awaitable<Result<void>> mend_routing();
    aio::awaitable<Result<void>> use_pause(bool recheck);
    bool are_kept(const Lines& indications, bool just_set);
    aio::awaitable<std::optional<Submission>> ask_next(std::optional<SubmitOutcome> finished, bool available);
    aio::awaitable<Result<at::FinalResult>> write_acknowledgement(std::chrono::milliseconds limit);
    aio::awaitable<Result<void>> acknowledge(std::chrono::milliseconds limit);
    aio::awaitable<void> acknowledge_last();
    Instant next_recheck() const;
    bool recheck_due() const { return BootClock::now() >= next_recheck(); }
    bool routing_wants_care() const { return reroute_wanted_ || routing_ended_; }

    // registration.cpp
    aio::awaitable<End> set_up_registration();
    aio::awaitable<void> read_registration();
    aio::awaitable<bool> read_domain(std::string domain);
    aio::awaitable<void> read_reject_cause();
    aio::awaitable<void> read_operator();
    aio::awaitable<End> read_radio_switch();
    aio::awaitable<End> watch_network();
    void note_registration(bool before);
    bool registered() const { return network_.usable(); }
    std::vector<Advice> advise(Instant now) const;

    // sim.cpp
    aio::awaitable<End> unlock();
    aio::awaitable<Result<at::Reply>> read_pin_state(Instant until);
    std::optional<Trouble> sim_trouble() const;
    aio::awaitable<End> enter_pin(std::string state);
    bool pin_was_refused(const Identity& who) const;
    aio::awaitable<Result<std::optional<int>>> pin_tries();
    aio::awaitable<Result<std::string>> read_iccid();
    aio::awaitable<Result<std::string>> read_iccid_by(Instant until);  ///< again until it is told
    aio::awaitable<End> check_sim();
    aio::awaitable<Result<bool>> sim_holds();
    End block(std::string reason, std::string text);

    // serve.cpp
    aio::awaitable<End> serve();
    aio::awaitable<SubmitOutcome> submit(Submission submission);
    aio::awaitable<End> between_messages();
    aio::awaitable<End> poll();
    aio::awaitable<End> settle_trouble(const SubmitOutcome& outcome);
    aio::awaitable<void> serve_requests();
    aio::awaitable<Result<AtAnswer>> perform_request(const Request& request);
    aio::awaitable<Result<AtAnswer>> perform(std::string line);
    bool work_waits() const;
    bool idle_work_waits() const;
    std::size_t report_room() const;  ///< stored reports that are left where they are during a burst
    Instant next_poll() const;

    // receive.cpp
    aio::awaitable<void> keep_handed_over();
    aio::awaitable<bool> keep_one(const Inbox::HandedOver& direct);
    aio::awaitable<Result<void>> take_urcs();
    aio::awaitable<Result<void>> take(const at::Urc& urc);
    struct Slot {
        std::string memory;
        int index = -1;
        auto operator<=>(const Slot&) const = default;
    };
    aio::awaitable<Result<void>> read_slots(std::vector<Slot> slots, bool reports);
    aio::awaitable<Result<std::optional<at::StoredPdu>>> read_slot(Slot slot);
    aio::awaitable<Result<void>> sweep(bool all);
    aio::awaitable<Result<void>> sweep_memory(std::string memory, bool all);
    struct Listing {
        std::vector<at::StoredPdu> pdus;
        bool whole = false;  ///< nothing else is in the memory
    };
    aio::awaitable<Result<Listing>> list_memory(std::string memory, int total);
    /// `strange`: slots that are kept and emptied though an SMS-SUBMIT seems to be in them.
    aio::awaitable<Result<void>> keep(std::string memory, std::vector<at::StoredPdu> found, std::set<int> strange);
    Incoming incoming_from(const Slot& slot, const at::StoredPdu& pdu) const;
    aio::awaitable<Result<void>> remove(Slot slot);
    aio::awaitable<Result<bool>> select(std::string memory);
    void note_use(const std::string& memory, int used, int total);
    void note_refused(const std::string& memory);
    void note_foreign(const std::string& memory, const Listing& found, const std::set<int>& strange);

    // stored_submit.cpp: journal = "modem"
    aio::awaitable<End> set_up_storing();
    void store_on_host(std::string reason);
    aio::awaitable<SubmitOutcome> submit_through_storage(Submission submission);
    aio::awaitable<SubmitOutcome> submit_without_storage(Submission submission, std::string why);
    aio::awaitable<Result<SlotReading::Slot>> read_own_slot(StoredAt at);
    aio::awaitable<void> learn_marking(StoredAt at, pdu::Encoded written);
    aio::awaitable<void> ask_slot(SubmitOutcome& outcome);
    void count_slot(const std::string& memory, int more);
    bool store_half_full() const;
    void note_slot_of(const SubmitOutcome& outcome);
    aio::awaitable<Result<void>> make_room();
    aio::awaitable<Result<bool>> tend_slots();
    aio::awaitable<Result<void>> remove_spent(std::size_t most);
    aio::awaitable<Result<void>> read_open_slots();
    aio::awaitable<std::vector<SlotRuling>> judge(std::string memory, std::vector<SlotReading::Slot> slots, bool whole);
    aio::awaitable<Result<std::set<int>>> judge_memory(std::string memory, const Listing& found);

    // recover.cpp
    aio::awaitable<void> recover(Trouble what);
    aio::awaitable<void> climb(Rung rung);
    aio::awaitable<void> perform(Rung rung);
    aio::awaitable<void> reset_for_a_person();
    Rung reset_rung() const;
    bool boots_again_and_again();
    bool refused_lately(HardReset how) const;
    aio::awaitable<void> restart_modem();
    aio::awaitable<void> switch_radio();
    aio::awaitable<void> reset_device(HardReset how);
    Trouble silence() const;
    void note_restart();
    void note_ending(const SubmitOutcome& outcome);
    LadderLimits ladder_limits() const;

    // settings.cpp
    aio::awaitable<Result<std::string>> read_setting(std::string name);
    aio::awaitable<End> set_up_mode();
    aio::awaitable<End> without_pdu_mode();
    aio::awaitable<End> set_up_centre();
    aio::awaitable<Result<void>> verify_receive_store();
    aio::awaitable<Result<void>> audit_settings();
    void note_settings(std::vector<ModemStatus::Setting> all);

    // ussd.cpp
    aio::awaitable<Result<AtAnswer>> run_ussd(std::string code);
    aio::awaitable<Result<at::Ussd>> ussd_exchange(std::string code, bool packed);
    aio::awaitable<Result<bool>> send_ussd(std::string code, bool packed);
    void note_session(const at::Ussd& answer);
    bool ussd_packs() const { return ussd_form_.value_or(profile_->ussd_packed); }
    aio::awaitable<Result<void>> learn_alphabet();
    bool ussd_in_gsm() const;
    void unasked(const at::Ussd& answer);
    aio::awaitable<Result<void>> ask_balance();
    void balance_came(Result<at::Ussd> answer);

    // care.cpp: what is done when nothing else is
    Instant care_due() const;
    aio::awaitable<Result<void>> care();
    aio::awaitable<Result<void>> take_rings(std::vector<at::Ring> rings);
    void note_call(const std::string& number);
    aio::awaitable<Result<void>> hang_up();
    aio::awaitable<Result<void>> find_one_store();
    aio::awaitable<Result<std::optional<int>>> count_in(std::string memory);  ///< empty: refused
    aio::awaitable<Result<void>> keep_link();
    aio::awaitable<Result<void>> read_clock();
    void show_ready();

    aio::Executor ex_;
    Log log_;
    ModemSettings settings_;
    Host& host_;
    int adopted_;
    bool awaiting_late_;
    Opener opener_;
    Finder* finder_;

    std::shared_ptr<Inbox> inbox_;
    std::shared_ptr<port::FlightRecorder> recorder_;
    std::shared_ptr<AtSession> session_;
    const profile::Profile* profile_;
    ModemStatus status_;
    Ladder ladder_;
    std::deque<std::shared_ptr<Request>> requests_;

    bool ended_ = false;  ///< run() has ended: its helpers must too
    Instant opened_at_{};
    bool host_woke_ = false;
    aio::Event unwanted_;  ///< for what waits for a port alone
    int fruitless_ = 0;    ///< opens in a row that were lost without an answer
    bool reset_wanted_ = false;
    std::optional<std::uint64_t> echoes_;  ///< since echo is off; empty while that is not known to work
    std::uint64_t echoes_at_off_ = 0;
    bool bring_up_wanted_ = false;       ///< settings were lost, or the SIM is another one
    std::vector<Identity> pin_refused_;  ///< a PIN failed on these SIMs: none is entered any more
    std::set<std::string> swallowed_;    ///< commands that this modem leaves without an answer
    int unanswered_ = 0;
    int unset_rounds_ = 0;                     ///< bring-ups in a row that could not set PDU mode
    int imei_unread_ = 0;                      ///< bring-ups in a row in which a modem whose IMEI is known did not tell it
    int sim_starts_ = 0;                       ///< bring-ups in a row that waited for the SIM in vain
    int unread_ = 0;                           ///< bring-ups in a row in which a SIM that is known by its ICCID or IMSI did not tell it
    bool mid_message_ = false;                 ///< further parts of the same message follow
    int submit_failures_ = 0;                  ///< in a row, by errors of the modem itself or without a prompt
    std::optional<Instant> centre_missed_at_;  ///< the last CMS 330
    bool set_up_for_errors_ = false;           ///< a bring-up was tried against bare ERRORs
    std::string boot_seen_;                    ///< the last line of a modem that repeats it

    std::vector<std::string> stores_;  ///< memories to sweep
    std::string receive_store_, selected_;
    std::set<Slot> unreadable_;                           ///< a header without a PDU, also when it was read again
    std::set<std::pair<Slot, std::string>> undeletable_;  ///< kept by the Host, but the modem refuses to delete them; with their PDU
    std::map<std::string, int> memory_refusals_;          ///< of AT+CPMS, in a row
    bool selects_by_three_ = false;                       ///< AT+CPMS wants all its memories
    bool sweep_wanted_ = false;

    enum class Storing : std::uint8_t { no, untried, works };
    Storing storing_ = Storing::no;      ///< whether parts go out through AT+CMGW and AT+CMSS
    std::vector<std::string> writable_;  ///< memories of the second list of AT+CPMS=?
    std::string store_memory_;
    std::deque<StoredAt> spent_slots_;  ///< settled durably: to be emptied
    std::vector<StoredAt> open_slots_;  ///< outcome open: read again at slots_due_
    Instant slots_due_ = Instant::max();
    int store_refusals_ = 0;  ///< of AT+CMGW in a row, other than "full"
    int quiet_polls_ = 0;
    Instant last_poll_{}, network_trouble_at_{};
    Instant sweep_again_at_ = Instant::max();  ///< by then, for what the Host could not keep
    std::vector<std::string> domains_;         ///< registration commands that the modem knows
    std::map<std::string, int> tells_;         ///< <n> of each when it was read last
    std::vector<int> indications_;             ///< AT+CNMI as it was set
    std::string indications_text_;
    Routing routing_ = Routing::acknowledged;   ///< until the first bring-up has chosen: what an adopted port says first
    std::deque<Instant> acknowledgements_due_;  ///< committed; by when the network wants them
    std::size_t acknowledgement_form_ = 0, rechecks_ = 0;
    bool acknowledgement_proved_ = false;  ///< the modem accepted one since the bring-up
    bool routing_ended_ = false;           ///< by the modem, which missed an acknowledgement
    bool unfit_ = false;                   ///< found while the Host chose a message: it must be set up before it gets one
    bool reroute_wanted_ = false;          ///< it refuses acknowledgements
    std::string refuses_acknowledgement_;  ///< the IMEI of such a modem
    int missed_in_row_ = 0;
    Instant routed_at_{};
    NetworkWatch network_;
    PowerWatch power_;
    std::optional<Instant> ctrl_z_at_;  ///< when the last PDU was handed over
    int open_endings_ = 0;              ///< submissions in a row that the network did not answer, though the modem was registered
    bool registration_told_ = false, reject_cause_asked_ = false, radio_switched_off_ = false;
    bool reset_failed_ = false;
    std::string reset_refused_;                    ///< why the last power cycle was not done
    std::map<HardReset, Instant> resets_refused_;  ///< when
    std::deque<Instant> boots_;                    ///< restarts that came before the modem was set up
    std::optional<bool> ussd_form_;                ///< packed or text, once an answer proved it; empty: as the profile says
    Instant ussd_until_{};                         ///< the open session ends by itself
    Instant balance_until_{};                      ///< an answer is awaited; Instant{} when none is
    int balance_forms_ = 0;                        ///< forms tried for this question

    std::map<std::string, std::string> found_;    ///< settings as they were before this bring-up wrote them
    std::map<std::string, std::string> centres_;  ///< by ICCID: what was seen or set since the start
    bool clock_wanted_ = false;                   ///< it was not registered when it was asked
    bool network_time_asked_ = false;             ///< AT+CTZU=1 was given since the modem came
    bool audit_wanted_ = false, stores_compared_ = false;
    Instant busy_at_{};     ///< the last submission or bring-up
    Instant link_until_{};  ///< AT+CMMS holds until then
    bool link_refused_ = false;
    Instant rang_at_{}, hung_up_at_{};  ///< the last RING of the call, and when it was hung up; Instant{}: not yet
    bool tells_callers_ = false;        ///< AT+CLIP=1 was accepted
    std::string caller_;                ///< its number, once +CLIP told it
    std::size_t hang_up_form_ = 0;
};

}  // namespace conductor::driver
