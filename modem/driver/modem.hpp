#pragma once
// One modem, from its port to its SMS: opened, identified, brought up, kept alive, used. Knows no database: what must be durable is asked
// of its Host, and nothing is deleted from a modem before the Host has committed it.
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "daemon/aio/aio.hpp"
#include "daemon/core/ids.hpp"
#include "modem/at/at.hpp"
#include "modem/pdu/pdu.hpp"
#include "modem/port/byte_stream.hpp"

namespace conductor::driver {

struct Identity {
    std::string manufacturer, model, revision, imei, iccid, imsi, own_number;
    bool operator==(const Identity&) const = default;
};

/// What the configuration says of one modem ([[modem]]).
struct ModemSettings {
    ModemIndex index = 0;
    /// `match`. An IMEI, ICCID or IMSI that is named must hold, and decides wherever it is found; `usb` and `port` bind alone where nothing
    /// else is named, else they say where to look first.
    std::string imei, iccid, imsi, usb, port;
    unsigned baud = 115200;
    std::optional<std::string> pin;  ///< 4-8 digits
    std::string pin_problem;         ///< why there is none though one is configured: a clause for people
    std::string smsc;                ///< set if not empty
    bool journal_in_modem = false;   ///< journal = "modem": parts go out by AT+CMGW and AT+CMSS
    /// Which modem and SIM last fitted these: it stands for what a SIM does not tell before its PIN.
    Identity last{};
};

/// One part to be submitted. `token` is the Host's own and comes back with the outcome.
struct Submission {
    std::int64_t token = 0;
    pdu::Encoded pdu;
    bool more_follow = false;  ///< further parts of the same message come next (CMMS)
    bool store = false;        ///< journal = "modem": written to the modem's storage first (AT+CMGW), then sent from there (AT+CMSS)
};

/// A slot of the modem's own storage.
struct StoredAt {
    std::string memory;  ///< "ME", "SM"
    int index = -1;      ///< -1: somewhere in that memory, or nowhere (the answer of AT+CMGW was lost)
    bool operator==(const StoredAt&) const = default;
};

/// How a submission ended, by what is known of it (CONTRACT part 4).
enum class Ending : std::uint8_t {
    accepted,   ///< +CMGS: the network took it; tp_mr is set
    refused,    ///< a definite refusal; the SMSC does not hold it
    ambiguous,  ///< after Ctrl-Z: timeout, hang-up, bare ERROR, 300, 332, 500, 512 and above
    not_sent,   ///< Ctrl-Z was never written, whatever else happened
};
struct SubmitOutcome {
    std::int64_t token = 0;
    Ending ending = Ending::not_sent;
    int tp_mr = -1;
    /// "cms-38", "cme-14", "error", "timeout", "port-lost", "no-prompt", "rebooted" ...; empty when accepted
    std::string reason;
    std::optional<int> cms;  ///< number of +CMS ERROR
    std::optional<int> cme;  ///< number of +CME ERROR
    /// journal = "modem": where the part lies. With `ambiguous` the slot will say what became of it: judge_slots().
    std::optional<StoredAt> stored{};
};

/// What was read in slots that hold what a host wrote, or where a Host expects such a one.
struct SlotReading {
    enum class State : std::uint8_t { empty, unsent, sent };  ///< stat 2 and 3 of TS 27.005 §3.1
    struct Slot {
        int index = -1;
        State state = State::empty;
        std::string hex;  ///< SMSC field first
    };
    Identity by;
    std::string memory;
    bool whole = false;    ///< the whole memory was read: what is not among `slots` is not there
    bool trusted = false;  ///< this modem was seen to mark what it sent as "stored sent"
    std::vector<Slot> slots;
};
/// What is to be done with a slot.
enum class SlotRuling : std::uint8_t {
    leave,       ///< not ours: a technician's draft
    remove,      ///< ours, and settled durably
    look_again,  ///< ours, and the modem may still be sending it
};

/// An SMS-DELIVER or SMS-STATUS-REPORT as it came, with the SMSC field.
struct Incoming {
    enum class Kind : std::uint8_t { message, report };
    Kind kind = Kind::message;
    std::string hex;     ///< as the modem wrote it, upper case
    std::string memory;  ///< "SM", "ME", "SR" ...; empty when it was handed over directly (+CMT, +CDS)
    int index = -1;
    bool needs_ack = false;  ///< handed over directly, and acknowledged (CNMA) after it is stored
    bool patient = false;    ///< nothing waits behind it: it may wait a moment for a commit that is made anyway
    Identity by;             ///< the modem's identity at arrival (iccid, imei)
    ModemIndex modem_index = 0;
};

enum class ModemState : std::uint8_t {
    absent,     ///< no port that fits
    opening,    ///< port open, being identified and brought up
    searching,  ///< up, but not registered
    ready,      ///< registered: may send and receive
    sending,
    recovering,  ///< on a rung of the ladder
    blocked,     ///< needs a person: PIN, PUK, SIM swapped, no SIM; `reason` says
    disabled,    ///< by a technician
};
std::string_view to_string(ModemState s);

/// What a person might do about a modem, as far as the daemon can tell; nothing of it is done by itself.
struct Advice {
    std::string code;  ///< stable word: "power-supply", "plan-without-sms", "bearer", "radio-switch", "usb-ids", "reset-helper" ...
    std::string text;
    bool operator==(const Advice&) const = default;
};

/// What takes the device away from the outside.
enum class HardReset : std::uint8_t {
    usb,    ///< USBDEVFS_RESET
    power,  ///< deauthorised, powered off and on, or the configured command
};

/// What is known of a modem now; the Host gets a copy at each change.
struct ModemStatus {
    ModemIndex index = 0;
    ModemState state = ModemState::absent;
    std::string reason;  ///< stable word: "no-port", "mute", "pin-needed", "puk-needed", "sim-absent", "unregistered", "storage-full" ...
    std::string reason_text;  ///< a sentence with what happens next and who must act
    Identity identity;
    std::string port;      ///< where it is now
    std::string usb;       ///< its USB device, "1-1.2"; empty where it has none
    std::string profile;   ///< "generic", "huawei" ...
    int registration = 0;  ///< <stat> of CREG/CEREG, TS 27.007 §7.2
    std::string operator_name;
    std::optional<int> rssi_dbm;
    struct Storage {
        std::string memory;
        int used = 0, total = 0;
        int stuck = 0;    ///< slots that the Host has and the modem refuses to delete, or that nobody can read
        int foreign = 0;  ///< drafts and sent messages of others, which are left where they are
        bool high() const { return total > 0 && used * 10 >= total * 7; }
        bool full() const { return total > 0 && used >= total; }
    };
    std::vector<Storage> storage;
    /// A setting that SMS depends on, as the last audit saw it.
    struct Setting {
        std::string name;    ///< "CMGF", "CSCA" ...
        std::string wanted;  ///< empty: not ours, shown alone
        std::string found;   ///< before this bring-up wrote anything; empty: the modem does not tell
        std::string now;
        bool held = true;  ///< what it is now is what is wanted
    };
    std::vector<Setting> settings;  ///< empty until the first audit
    std::string one_store;          ///< "SM = ME" where two names are one memory (row 73)
    bool ussd_open = false;         ///< a USSD session waits for a reply
    std::string smsc;
    /// "modem" or "host": what tells after a crash whether a part went out; with [send] journal = "modem" and "host", why: "cmss-refused",
    /// "cmgw-refused", "not-marked-sent", "pdu-altered", "no-memory"
    std::string journal = "host", journal_reason;
    std::string store_memory;  ///< where AT+CMGW writes; empty while the journal is the host's
    std::string rung;          ///< recovery rung, empty when healthy
    std::vector<Advice> advice;
    std::size_t restarts_last_hour = 0;  ///< that nobody asked for
    std::string routing;                 ///< of reports: "acknowledged", "stored" or "plain"; empty before the first bring-up
    std::uint64_t acknowledged = 0, acknowledgements_missed = 0;  ///< AT+CNMA that was accepted; how often the routing had to be set again
    std::uint64_t opened = 0, resets = 0, boots_seen = 0, urcs_dropped = 0;
    std::uint64_t brown_outs = 0, calls = 0;  ///< restarts for want of power, as the modem said; incoming calls, hung up
    Instant since{};                          ///< of this state
};

enum class PinNews : std::uint8_t {
    answered,  ///< AT+CPIN was answered with OK; whether the SIM is open is not seen yet
    refused,   ///< it was not, or the PIN is asked for again
    open,      ///< the SIM is open: a PIN that was answered may be entered again after a power cut
};

/// What a modem needs from its owner. Every call is made on the modem's executor; persist() may run while next() does, each at most once at
/// a time from the loop that submits and once from the loop that takes +CMT and +CDS.
class Host {
public:
    virtual ~Host() = default;
    /// Settles `finished` (if any) and journals the next submission, both in one durable commit. Empty: nothing to send now.
    /// `available` is false when the modem only settles and cannot take more.
    virtual aio::awaitable<std::optional<Submission>> next(std::optional<SubmitOutcome> finished, bool available) = 0;
    /// Raised when something may have become sendable, or when the modem should look up (disable, stop).
    virtual aio::Event& wake() = 0;
    /// When next() should be asked again even without a wake (a retry or a rate limit ends).
    virtual Instant next_due() const = 0;
    /// journal = "modem", between AT+CMGW and AT+CMSS: commits durably where the part of `token` lies; nothing: that it goes by AT+CMGS
    /// after all. False: not committed, and nothing may be sent.
    virtual aio::awaitable<bool> note_slot(std::int64_t token, std::optional<StoredAt> at) {
        (void)token, (void)at;
        co_return false;
    }
    /// Settles durably what the slots say of submissions whose outcome was open; a ruling for each of `reading.slots`, in their order.
    virtual aio::awaitable<std::vector<SlotRuling>> judge_slots(SlotReading reading) {
        co_return std::vector<SlotRuling>(reading.slots.size(), SlotRuling::leave);
    }
    /// These slots were emptied; committed with the next submission at the latest, so that a slot is never taken for the one before.
    virtual void slots_removed(std::vector<StoredAt> slots) { (void)slots; }
    /// What is known of AT+CMGW and AT+CMSS on this modem: "ok", the reason word why they are of no use, or empty.
    virtual aio::awaitable<std::string> storing_of(Identity who) {
        (void)who;
        co_return std::string{};
    }
    virtual aio::awaitable<void> remember_storing(Identity who, std::string word) {
        (void)who, (void)word;
        co_return;
    }
    /// Commits an incoming PDU durably. Only after success is the modem's own copy deleted or acknowledged. What has no copy and needs no
    /// acknowledgement may be committed after the return.
    virtual aio::awaitable<Result<void>> persist(Incoming incoming) = 0;
    /// Commits several at once, one entry of the answer each: true when it is durable.
    virtual aio::awaitable<std::vector<bool>> persist_all(std::vector<Incoming> incoming) {
        std::vector<bool> kept;
        for (Incoming& one : incoming) {
            const auto done = co_await persist(std::move(one));
            kept.push_back(done.has_value());
        }
        co_return kept;
    }
    /// A +CMGS of a submission whose outcome was open: an answer that came late, or after a restart.
    virtual aio::awaitable<void> late_reference(int tp_mr) = 0;
    /// A definite refusal (CONTRACT part 4) of a submission whose outcome was open, seen after a restart; by default nothing follows from
    /// it.
    virtual aio::awaitable<void> late_refusal(SubmitOutcome outcome) {
        (void)outcome;
        co_return;
    }
    /// True when no PIN was tried on this SIM that is not known to be right; with all `tries` left (3), also when this one was not refused.
    /// So no sequence of restarts and corrections uses more than one of them. Remembers the try durably before it says so. The SIM is
    /// `who.iccid`, or whatever is in `who.imei` while its ICCID is not told.
    virtual aio::awaitable<bool> may_enter_pin(Identity who, std::string pin, std::optional<int> tries) = 0;
    /// What became of the try.
    virtual aio::awaitable<void> note_pin(Identity who, std::string pin, PinNews news) {
        (void)who, (void)pin, (void)news;
        co_return;
    }
    /// Something for the audit: "modem-settings", "storage-high", "slot-quarantined", "ussd-received", "call-refused" ...; `detail` for
    /// people.
    virtual void noted(std::string_view what, std::string detail) {
        (void)what;
        (void)detail;
    }
    /// The flight recorder should be saved: "mute", "ambiguous", "reboot".
    virtual void incident(std::string_view kind) { (void)kind; }
    /// When the SIM's balance should be asked for, by which code, and what the network said to it (UTF-8, or an error). Asked for when the
    /// modem is idle, never in the middle of a message.
    virtual Instant balance_due() const { return Instant::max(); }
    virtual std::string balance_code() { return {}; }
    virtual void balance_answered(Result<std::string> text) { (void)text; }
    /// False holds the modem: the SIM was swapped and not accepted. Remembers nothing; asked before a PIN is entered.
    virtual aio::awaitable<bool> knows_sim(std::string iccid) {
        (void)iccid;
        co_return true;
    }
    /// The same of a SIM that is open; the first one is remembered. An empty ICCID was not told: it is no other SIM.
    virtual aio::awaitable<bool> accepts_sim(Identity identity) = 0;
    virtual void changed(const ModemStatus& status) = 0;
    /// What a registered modem says the time is: its own clock, which the network may have set (NITZ), or nobody.
    virtual void clock_read(WallTime time) { (void)time; }
    /// Whether the configuration and this machine allow it.
    virtual bool can_reset(HardReset how, const std::string& usb) const {
        (void)how;
        (void)usb;
        return false;
    }
    /// Resets the device `usb` ("1-1.2", empty where it has none) from outside; ends within 30 s whatever the device does. An error says
    /// that nothing was done.
    virtual aio::awaitable<Result<void>> hard_reset(HardReset how, std::string usb) {
        (void)how;
        (void)usb;
        co_return fail(at::AtErrc::forbidden, "hard-reset");
    }
    /// The port was opened (descriptor for the FD store, -1 = none) or closed (-1).
    virtual void port_changed(int descriptor) = 0;
    virtual bool enabled() const = 0;
    virtual bool stopping() const = 0;
};

struct AtAnswer {
    std::vector<std::string> lines;
    std::string final_result;
};

/// What the network said. `open`: it waits for a reply, for `session_limit` at most.
struct UssdAnswer {
    static constexpr std::chrono::seconds session_limit{90};
    std::string text;
    int status = 0;  ///< <m> of +CUSD, TS 27.007 §7.15
    bool open = false;
};

/// How a port is opened; port::open_port unless a test or the simulation has lines of its own.
using Opener = std::function<aio::awaitable<Result<std::unique_ptr<port::ByteStream>>>(std::string spec, port::PortSettings settings)>;

class Finder;

/// The modem's life as one coroutine. Destroy it only after run() has ended.
class Modem {
public:
    /// `adopted`: a descriptor from the FD store (-1 none); with `awaiting_late` the first thing read is the answer of an open submission.
    /// Without a `finder` only settings.port is opened.
    Modem(aio::Executor ex, Log log, ModemSettings settings, Host& host, int adopted = -1, bool awaiting_late = false, Opener opener = {},
          Finder* finder = nullptr);
    ~Modem();
    /// Opens, brings up, submits, receives and recovers until host.stopping(); never throws but when cancelled.
    aio::awaitable<void> run();
    const ModemStatus& status() const;
    /// A technician's command between submissions; refused (AtErrc) while the modem is not open.
    aio::awaitable<Result<AtAnswer>> command(std::string line);
    /// A code, or the reply to the menu of the open session; a code that begins with '*' or '#' begins a new session.
    aio::awaitable<Result<UssdAnswer>> ussd(std::string code);
    /// The modem restarts between submissions, also a blocked one. False while it is not open: nothing comes of it later.
    bool request_reset();
    /// The SIM's PIN as it is configured now; a modem that is blocked for want of the right one looks at once whether it may enter it.
    /// `problem`: why there is none, for people.
    void set_pin(std::optional<std::string> pin, std::string problem = {});
    /// The flight recorder: octets of the last minutes with times, as a transcript.
    std::string trace() const;

private:
    class Impl;
    std::unique_ptr<Impl> impl_;
};

}  // namespace conductor::driver
