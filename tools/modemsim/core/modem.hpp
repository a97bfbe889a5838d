#pragma once
// One simulated modem: octets in, octets out, time from a Scheduler. No I/O, so that a simulation can own it too.
// The class is spread over modem_*.cpp by subject.
#include <array>
#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "tools/modemsim/core/profile.hpp"
#include "tools/modemsim/core/settings.hpp"
#include "tools/modemsim/core/storage.hpp"
#include "tools/modemsim/core/tpdu.hpp"

namespace conductor::modemsim {

class Network;

struct Sim {
    bool present = true;
    std::string iccid, imsi, number, smsc;
    std::string pin, puk = "12345678";  ///< empty PIN: none is asked
    int pin_tries = 3, puk_tries = 10;
};

/// Registration as +CREG, +CGREG and +CEREG tell it (TS 27.007 §7.2, §10.1.20, §10.1.22).
struct Registration {
    std::array<int, 3> stat{1, 1, 1};  ///< circuit, packet, EPS
    std::string area = "1A2B", cell = "0100C3D4";
    int access = 7;
    /// 1, 5: registered; 6, 7: SMS only; 9, 10: CSFB not preferred.
    bool can_sms() const;
};

/// What a client sets, and ATZ or a reset takes back.
struct Session {
    bool echo = true, verbose = true, quiet = false;
    int cmee = 0, cmgf = 0, csdh = 0, csms = 0, clip = 0, cmms = 0, cusd = 0, crc = 0, cops_format = 0, cgsms = 1;
    std::array<int, 5> cnmi{0, 0, 0, 0, 0};
    std::array<std::string, 3> cpms{"SM", "SM", "SM"};
    std::array<int, 3> creg{0, 0, 0};
    std::string cscs = "GSM";
    std::array<int, 4> csmp{17, 167, 0, 0};
};

/// How a command ended. `wait`: its final result comes later.
struct Outcome {
    enum class Kind { ok, error, cms, cme, unknown, wait, result } kind = Kind::ok;
    int code = 0;
    std::string text{};  ///< of Kind::result: another final result, as "NO CARRIER"
};

/// One command of a command line.
struct Call {
    enum class Form { execute, set, read, test } form = Form::execute;
    std::string name, raw;            ///< "+CMGS"; what follows '='
    std::vector<std::string> fields;  ///< raw cut at commas outside quotes, without the quotes
    /// Field as a number; `missing` when absent or empty, -1 when it is no number.
    int number(std::size_t field, int missing) const;
    std::string field(std::size_t i) const { return i < fields.size() ? fields[i] : std::string{}; }
};

struct Counters {
    std::uint64_t commands = 0, submissions = 0, refused = 0, lost_answers = 0, dropped = 0, delivered = 0, reports = 0, boots = 0,
                  urcs = 0;
    Duration longest_body{0};  ///< from a prompt to the Ctrl-Z or ESC that ends what is typed
};

class SimModem {
public:
    enum class Taken { taken, full, away, busy };

    SimModem(int index, const Profile& profile, std::string imei, Sim sim, Network& network, Scheduler& scheduler, std::uint64_t seed);

    /// Octets that a client wrote to the port.
    void receive(std::string_view octets);
    std::function<void(std::string_view)> on_output;  ///< octets for the port
    std::function<void()> on_port;                    ///< port_present() or link() may have changed

    // The device.
    void power_on(bool quick = false);  ///< `quick`: ready at once, without boot URCs
    void power_off();                   ///< what is past Ctrl-Z and taken stays taken; its answer is gone
    /// Off, the port gone when the profile is a USB device or `drop_port` says so, and on again after `down`.
    void reboot(Duration down, std::optional<bool> drop_port = {});
    void set_port(bool present) { port_present_ = present, notify_port(); }
    void set_link(std::string name) { link_ = std::move(name), notify_port(); }
    bool port_present() const { return port_present_; }
    const std::string& link() const { return link_; }
    bool powered() const { return powered_; }

    // The network's side.
    /// A DELIVER or STATUS-REPORT without SMSC field.
    Taken deliver(const Octets& tpdu);
    bool reachable() const;
    void set_registration(const Registration& r);
    void ring(std::string caller, int times);
    void urc(const std::string& line);
    void write_raw(std::string_view octets) { put(octets); }  ///< junk, partial lines
    void ussd_from_network(int type, const std::string& text);
    void swap_sim(Sim sim);
    void remove_sim();
    void lock_sim();  ///< the PIN is asked for again

    int index() const { return index_; }
    const std::string& imei() const { return imei_; }
    const Profile& profile() const { return *profile_; }
    /// Another make of modem, with empty memories of its sizes; takes effect with the next power-up in full.
    void set_profile(const Profile& profile);
    Sim& sim() { return sim_; }
    const Sim& sim() const { return sim_; }
    const Session& session() const { return session_; }
    const Registration& registration() const { return registration_; }
    Storage& storage() { return storage_; }
    Faults& faults() { return faults_; }
    const Faults& faults() const { return faults_; }
    Random& random() { return random_; }
    const Counters& counters() const { return counters_; }
    std::string cpin_state() const;
    int cfun() const { return cfun_; }
    Range latency{Duration{500}, Duration{500}};
    Range ussd_delay{Duration{300}, Duration{300}};
    double accept_at = 0.9;  ///< share of the latency after which the network has the message
    int signal = 19;         ///< +CSQ rssi
    int zone = -32;          ///< quarter hours, for +CCLK and what the network stamps

private:
    enum class Mode { command, body, busy };
    using Handler = Outcome (SimModem::*)(const Call&);
    struct Entry {
        std::string_view name;
        Handler handler;
        bool sms = false;  ///< fails until the profile's sms_ready
    };
    static std::span<const Entry> entries();

    // modem.cpp: wire, power
    void put(std::string_view octets);
    void pace();
    void notify_port() {
        if (on_port) on_port();
    }
    void after(Duration delay, void (SimModem::*action)());
    void after(Duration delay, std::function<void()> action);  // dropped when the power fails first
    void ready();
    void chatter(std::size_t which);
    void release();  // back to Mode::command: held URCs, then what was typed meanwhile

    // modem_line.cpp: command lines and answers
    void typed(char c);
    void typed_body(char c);
    void run_line(std::string line);
    void run_rest();
    Outcome run_basic(std::string_view& rest);
    Outcome run_extended(const Call& call);
    Call parse_call(std::string_view text) const;
    void info(const std::string& line);
    void finish(const Outcome& outcome);
    std::string final_text(const Outcome& outcome) const;
    std::string wrap(const std::string& line) const;
    static Outcome ok() { return {}; }
    static Outcome error() { return {Outcome::Kind::error, 0, {}}; }
    static Outcome cms(int code) { return {Outcome::Kind::cms, code, {}}; }
    static Outcome cme(int code) { return {Outcome::Kind::cme, code, {}}; }
    static Outcome wait() { return {Outcome::Kind::wait, 0, {}}; }
    /// `cap` for test, the stored value for read, a checked number for set.
    Outcome simple(const Call& call, int& value, int most, const char* range);
    std::string shown(std::u32string_view text) const { return to_charset(text, session_.cscs); }

    // modem_general.cpp
    Outcome do_identity(const Call&);
    Outcome do_cmee(const Call&);
    Outcome do_cscs(const Call&);
    Outcome do_clac(const Call&);
    Outcome do_iccid(const Call&);
    Outcome do_crsm(const Call&);
    Outcome do_cpin(const Call&);
    Outcome do_cpinr(const Call&);
    Outcome do_clck(const Call&);
    Outcome do_cclk(const Call&);
    Outcome do_cnum(const Call&);
    Outcome do_accept(const Call&);  // taken and ignored
    Outcome unlock(const std::string& code, const std::string& replacement);
    Outcome do_ussdmode(const Call&);

    // modem_network.cpp
    Outcome do_creg(const Call&);
    Outcome do_cops(const Call&);
    Outcome do_csq(const Call&);
    Outcome do_cfun(const Call&);
    Outcome do_cusd(const Call&);
    Outcome do_clip(const Call&);
    Outcome do_crc(const Call&);
    Outcome hang_up(const Call&);
    Outcome do_cpas(const Call&);
    void creg_urc(std::size_t which);
    void ring_once();
    void answer_ussd(const std::string& code, bool holds = false);
    void show_ussd(int type, const std::string& text, std::optional<int> dcs);

    // modem_submit.cpp
    Outcome do_cmgs(const Call&);
    Outcome do_cmgw(const Call&);
    Outcome do_cmss(const Call&);
    Outcome do_cmms(const Call&);
    Outcome do_csmp(const Call&);
    Outcome do_csdh(const Call&);
    Outcome do_csca(const Call&);
    Outcome do_cgsms(const Call&);
    Outcome prompt(const Call& call);
    void end_body();
    void abort_body();
    std::optional<Octets> body_as_pdu(Outcome& why);
    std::optional<Octets> text_as_pdu(const std::string& to, const std::string& typed, Outcome& why);
    Outcome sms_allowed() const;
    void submit(const Octets& tpdu, const Submit& parsed, const char* answer_name, int stored_index);
    void accepted();
    void answered();
    void resolve(bool written, std::string answer);

    // modem_store.cpp
    Outcome do_cpms(const Call&);
    Outcome do_cmgf(const Call&);
    Outcome do_cmgl(const Call&);
    Outcome do_cmgr(const Call&);
    Outcome do_cmgd(const Call&);
    void show(const char* prefix, std::optional<int> index, const Slot& slot);
    std::string text_header(const Slot& slot, const Summary& s, bool list) const;
    std::string quoted_number(const Address& a) const;

    // modem_inbound.cpp
    Outcome do_cnmi(const Call&);
    Outcome do_csms(const Call&);
    Outcome do_cnma(const Call&);
    Taken store(const std::string& memory, const Octets& tpdu, const char* urc_name);
    Taken show_direct(const Octets& tpdu, bool report);
    void indicate(const std::string& text);
    void unacknowledged();
    void ask_mailbox();

    int index_;
    const Profile* profile_;
    std::string imei_;
    Sim sim_;
    Network& network_;
    Scheduler& scheduler_;
    Random random_;
    Storage storage_;
    Faults faults_;
    Session session_, saved_;
    Registration registration_;
    Counters counters_;

    bool port_present_ = true, powered_ = false, booting_ = false, sms_ready_ = false, sim_unlocked_ = true, chattering_ = false,
         said_full_ = false;
    bool ussd_text_mode_ = false;
    std::string link_;
    std::uint64_t epoch_ = 0;  ///< one per power cycle
    int cfun_ = 1;
    Duration clock_offset_{0};

    Mode mode_ = Mode::command;
    std::string line_, rest_, info_, backlog_, slow_queue_;
    bool pacing_ = false;
    std::vector<std::string> held_urcs_;        ///< said when the command is over
    std::deque<std::string> held_indications_;  ///< +CNMI mode 0

    // AT+CMGS, +CMGW between the prompt and its end.
    struct Body {
        bool write = false;  ///< +CMGW
        int length = 0;      ///< PDU mode
        std::string to;      ///< text mode
        Stat stat = Stat::unsent;
        std::string text;
    };
    Body body_;
    Instant prompted_{};
    // Past Ctrl-Z.
    struct Flight;
    std::shared_ptr<Flight> flight_;
    std::uint8_t next_mr_ = 0;

    Octets unacknowledged_;       ///< shown directly, waiting for +CNMA
    bool routing_ended_ = false;  ///< by a missed +CNMA; until the next +CNMI the SMSC keeps what would be shown
    std::uint64_t cnma_serial_ = 0;

    std::string caller_;
    int rings_left_ = 0;
    std::uint64_t call_ = 0;
    std::vector<UssdAnswer> ussd_dialogue_;  ///< the step that waits for a reply, if any
    std::uint64_t ussd_serial_ = 0;
};

}  // namespace conductor::modemsim
