#pragma once
// The mobile network and its SMSC: decides about submissions, sends reports, replies and messages between the modems.
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "tools/modemsim/core/modem.hpp"

namespace conductor::modemsim {

/// One submission that the network took.
struct Submission {
    std::uint64_t id = 0;  ///< from 1
    WallTime time{};
    Instant mono{};
    int modem = 0;
    std::string imei, iccid, from, to;
    int tp_mr = 0;
    Octets tpdu;
    std::string text;
    std::optional<Concat> concat;
    bool rd = false, srr = false;
    int dcs = 0, pid = 0;
    bool answered = false;  ///< the final result was written to the port
    std::string answer;     ///< "+CMGS: 12", "+CMS ERROR: 500"; empty when there was none
};

/// What becomes of a submission.
struct Verdict {
    Duration latency{0};
    std::optional<int> cms;  ///< negative: a bare ERROR
    bool accepts = true;
    bool answers = true;
    bool reboots = false;
    std::optional<Rule> rule;
};

class Network {
public:
    Network(Scheduler& scheduler, std::uint64_t seed) : scheduler_{scheduler}, random_{seed} {}
    void attach(SimModem& modem) { modems_.push_back(&modem); }

    Verdict judge(SimModem& from, const Submit& submit);
    /// Takes a submission: reports, reply, delivery to a modem of ours. Returns its record, not yet logged.
    std::shared_ptr<Submission> accept(SimModem& from, const Octets& tpdu, const Submit& submit, const Verdict& verdict, std::uint8_t mr);
    /// The record is complete.
    void log(const std::shared_ptr<Submission>& submission);
    std::function<void(const Submission&)> on_submission;

    /// Puts a DELIVER or STATUS-REPORT for this number into its mailbox and tries to hand it over.
    void send(const std::string& number, Octets tpdu, bool front = false);
    /// The modem may be able to take something again.
    void try_mailbox(SimModem& modem);
    void report(const Submission& s, std::uint8_t status);
    /// Splits and sends a text to a modem; parts in `order` (positions from 1; empty: all in order), `gap` apart.
    bool send_text(const std::string& to, const std::string& from, const std::string& text, const SplitOptions& options,
                   const std::vector<int>& order = {}, Duration gap = Duration{0}, std::uint8_t pid = 0,
                   std::optional<std::uint8_t> dcs = {});
    Octets deliver_tpdu(const std::string& from, const UserData& data, std::uint8_t pid);
    SimModem* by_number(std::string_view number) const;
    const UssdAnswer* ussd(const std::string& code) const;
    std::size_t waiting(const std::string& number) const;
    unsigned next_reference() { return ++reference_ & 0xffU; }

    std::vector<Rule> rules;
    std::map<std::string, UssdAnswer> ussd_codes;
    Range report_delay{Duration{1000}, Duration{1000}};
    Range delivery_delay{Duration{200}, Duration{200}};
    int zone = -32;
    const std::vector<std::shared_ptr<Submission>>& submissions() const { return submissions_; }
    std::uint64_t accepted_count() const { return next_id_ - 1; }

private:
    Rule* find_rule(const std::string& number);
    Scheduler& scheduler_;
    Random random_;
    std::vector<SimModem*> modems_;
    std::map<std::string, std::deque<Octets>> mailboxes_;
    std::map<std::string, bool> trying_;
    std::vector<std::shared_ptr<Submission>> submissions_;
    std::uint64_t next_id_ = 1;
    unsigned reference_ = 0;
};

/// Digits alone, for comparing numbers.
std::string digits_of(std::string_view number);

}  // namespace conductor::modemsim
