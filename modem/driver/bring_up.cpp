// From an open port to a modem that is set up: who it is, which SIM it holds, and every setting that SMS needs.
#include <algorithm>
#include <array>

#include "modem/driver/finder.hpp"
#include "modem/driver/modem_impl.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;
using at::AtErrc;

namespace {
constexpr int most_unanswered = 8;  ///< commands in a row
}  // namespace

/// One answer may drown in URCs, two do not. What stays without one while a bare AT has its own counts as refused, since some firmwares
/// swallow what they do not know; not so when many in a row end like that. A command that was swallowed before is not asked twice.
aio::awaitable<Result<at::Reply>> Modem::Impl::query(std::string line) {
    for (int tries = swallows(line) ? 1 : 2; tries > 0; --tries) {
        auto reply = co_await session_->run(line);
        if (reply) {
            swallowed_.erase(line);
            unanswered_ = 0;
        }
        if (reply || !reply.error().is(AtErrc::timeout)) co_return reply;
        const bool half = line == "+CPIN?" && profile_->pin_ready_without_ok;
        if (half && !session_->partial().empty()) {  // Wavecom gives the line alone (row 53)
            at::Reply made;
            made.lines = session_->partial();
            co_return made;
        }
        const bool answers = co_await session_->resync(2);
        if (!answers && unwanted()) co_return fail(AtErrc::interrupted, line);
        if (!answers && session_->lost()) co_return fail(AtErrc::lost, line);
        if (!answers) co_return session_->rebooted() ? fail(AtErrc::rebooted, line) : reply.error();
    }
    if (!swallows(line)) log_.notice("unanswered", {{"command", line}});
    if (++unanswered_ > most_unanswered) co_return fail(AtErrc::timeout, line);
    swallowed_.insert(std::move(line));
    at::Reply none;
    none.final.kind = at::FinalResult::Kind::error;
    co_return none;
}

aio::awaitable<Result<Modem::Impl::Lines>> Modem::Impl::ask(std::string line) {
    auto reply = co_await query(std::move(line));
    if (!reply) co_return reply.error();
    if (!reply->ok()) co_return Lines{};
    co_return std::move(reply->lines);
}

aio::awaitable<Result<bool>> Modem::Impl::tell(std::string line) {
    auto reply = co_await query(line);
    if (!reply) co_return reply.error();
    if (!reply->ok()) log_.debug("refused", {{"command", line}, {"result", at::word(reply->final)}});
    co_return reply->ok();
}

aio::awaitable<Result<at::Reply>> Modem::Impl::patient(std::string line, Instant until) {
    for (auto pause = 300ms;; pause = std::min<std::chrono::milliseconds>(pause * 2, 2s)) {
        auto reply = co_await query(line);
        if (!reply || reply->ok() || swallows(line)) co_return reply;
        constexpr std::array hopeless = {10, 11, 12, 13, 15, 16, 310, 311, 316};  // SIM absent, PIN, PUK, failure, wrong
        const bool wait_helps = !reply->final.code || std::ranges::find(hopeless, *reply->final.code) == hopeless.end();
        if (!wait_helps || BootClock::now() + pause > until) co_return reply;
        co_await session_->drain(pause, pause);
    }
}

aio::awaitable<End> Modem::Impl::bring_up() {
    if (session_->take_reboot()) {
        acknowledgements_due_.clear();
        note_restart();
        boots_.push_back(BootClock::now());
        host_.incident("reboot");
    }
    bring_up_wanted_ = false;
    echoes_.reset();
    selected_.clear();
    mid_message_ = false;
    link_until_ = {};
    status_.ussd_open = false;
    if (balance_until_ != Instant{}) balance_came(fail(AtErrc::lost, "ussd"));
    stores_compared_ = false;
    const char* const being_set_up = "The port is open; the modem is being identified and set up.";
    const bool hangs_up = status_.reason == "port-hangs-up";  // until something answers
    if (status_.state != ModemState::recovering && status_.state != ModemState::blocked && !hangs_up)
        set(ModemState::opening, "", being_set_up);
    bool answers = co_await session_->resync(1);
    if (!answers) {
        answers = co_await session_->resync(3);
        if (answers) co_await session_->drain(1s, 2s);  // rows 45, 49: it has just come up, and wants a moment
    }
    if (!answers) {
        const End end = condition();
        co_return end == End::ok ? End::mute : end;
    }
    if (hangs_up) set(ModemState::opening, "", being_set_up);
    End end = co_await identify();
    if (end == End::ok) end = co_await unlock();
    if (end == End::ok) end = co_await check_sim();
    if (end == End::ok && finder_) take_what_the_finder_heard();
    if (end == End::ok) end = co_await set_up();
    if (end != End::ok) co_return end;
    note_silence();
    boots_.clear();
    if (registered())
        ladder_.healthy(BootClock::now());
    else
        ladder_.answers(BootClock::now());
    log_.info("modem-up", {{"model", status_.identity.model},
                           {"profile", status_.profile},
                           {"store", receive_store_},
                           {"registration", status_.registration}});
    publish();
    co_return End::ok;
}

/// Never acknowledged: it belonged to the session of the finder.
void Modem::Impl::take_what_the_finder_heard() {
    for (at::Direct& pdu : finder_->take_handed_over(settings_.index, status_.identity.imei)) {
        if (inbox_->handed_over.size() == Inbox::max_handed_over) {
            ++inbox_->dropped;
            continue;
        }
        inbox_->handed_over.push_back({std::move(pdu), inbox_->incarnation - 1, {}});
        inbox_->direct.raise();
    }
}

/// Echo was switched off at the start of the bring-up. If it obeyed, an echo from now on says that the modem restarted and lost its
/// settings.
void Modem::Impl::note_silence() {
    if (session_->echoes() - echoes_at_off_ == 0) echoes_ = session_->echoes();
}

/// The command that brings the URCs to this port; that of an unknown one where its interface is none of the profile's.
std::string Modem::Impl::urcs_here() {
    int interface = finder_ ? finder_->interface_of(settings_.index) : -1;
    if (interface < 0 && !profile_->urcs_here.empty())
        if (const auto at = port::candidate(status_.port)) interface = at->usb.interface;
    std::string unknown;
    for (const profile::PortCommand& command : profile_->urcs_here) {
        if (command.interface == interface) return std::string{command.line};
        if (command.interface < 0) unknown = command.line;
    }
    return unknown;
}

aio::awaitable<End> Modem::Impl::identify() {
    for (const char* line : {"E0", "+CMEE=1"})
        if (const auto done = co_await tell(line); !done) co_return end_of(done.error());
    echoes_at_off_ = session_->echoes();
    Identity who;
    struct Question {
        const char* line;
        std::string Identity::*field;
    };
    const Question questions[] = {{"+CGMI", &Identity::manufacturer}, {"+CGMM", &Identity::model}, {"+CGMR", &Identity::revision}};
    for (const Question& q : questions) {
        const auto lines = co_await ask(q.line);
        if (!lines) co_return end_of(lines.error());
        who.*q.field = at::parse_plain(*lines);
    }
    const auto serial = co_await ask("+CGSN");
    if (!serial) co_return end_of(serial.error());
    who.imei = at::parse_long_number(*serial, 14).value_or("");
    const bool unread = who.imei.empty() && !(settings_.imei.empty() && status_.identity.imei.empty());
    imei_unread_ = unread ? imei_unread_ + 1 : 0;
    if (unread && imei_unread_ <= 15) co_return End::again;  // not told for a moment: no other modem
    if (who.imei != status_.identity.imei) {
        if (!status_.identity.imei.empty() && ladder_.new_incarnation(BootClock::now())) network_trouble_at_ = {};
        ussd_form_.reset();
        link_refused_ = network_time_asked_ = false;
        swallowed_.clear();
        hang_up_form_ = 0;
    }
    who.iccid = status_.identity.imei == who.imei ? status_.identity.iccid : "";
    status_.identity = who;
    profile_ = &profile::profile_for(who.manufacturer, who.model);
    status_.profile = profile_->name;
    ladder_.limits(ladder_limits());
    if (!settings_.imei.empty() && !same_imei(settings_.imei, who.imei)) co_return misplaced("wrong-modem");
    const std::string here = urcs_here();
    if (!here.empty())
        if (const auto done = co_await tell(here); !done) co_return end_of(done.error());
    for (const std::string_view line : profile_->quiet)
        if (const auto done = co_await tell(std::string{line}); !done) co_return end_of(done.error());
    co_return End::ok;
}

/// Another modem or SIM is here than the configuration names: the finder hears who it is, and says where the right one is.
End Modem::Impl::misplaced(const char* reason) {
    if (finder_) {
        finder_->learnt(settings_.index, status_.identity);
        if (!settings_.port.empty()) finder_->search(settings_.index);
    }
    const bool modem = std::string_view{reason} == "wrong-modem";
    const bool elsewhere = finder_ && (modem || settings_.imei.empty());  // a named modem with another SIM stays this modem
    if (elsewhere && settings_.port.empty()) return End::mismatch;
    block(reason, modem ? "The modem on this port has another IMEI than the configuration names; the right one is looked for elsewhere."
                        : "The modem holds another SIM than the configuration names; put that one in, or name this one.");
    return elsewhere ? End::mismatch : End::blocked;
}

aio::awaitable<End> Modem::Impl::set_up() {
    for (const std::string_view line : profile_->after_sim)
        if (const auto done = co_await tell(std::string{line}); !done) co_return end_of(done.error());
    if (const End mode = co_await set_up_mode(); mode != End::ok) co_return mode;
    End end = co_await set_up_stores();
    if (end == End::ok) end = co_await set_up_storing();
    if (end == End::ok) end = co_await set_up_indications();
    if (end == End::ok) end = co_await set_up_centre();
    if (end != End::ok) co_return end;
    end = co_await set_up_registration();
    if (end != End::ok) co_return end;
    sweep_wanted_ = true;
    quiet_polls_ = 0;
    last_poll_ = busy_at_ = BootClock::now();
    co_return condition();
}

/// The memory for incoming messages and the list of those to sweep. CPMS takes three, two or one memory (T37); Cinterion's third list lacks
/// ME (row 61).
aio::awaitable<End> Modem::Impl::set_up_stores() {
    const auto test = co_await ask("+CPMS=?");
    if (!test) co_return end_of(test.error());
    const auto lists = at::parse_cpms_test(*test);
    const auto in_list = [&](std::size_t i, const std::string& memory) {
        if (lists.empty() || lists[0].empty()) return memory == "SM" || memory == "ME";
        const auto& list = lists[std::min(i, lists.size() - 1)];
        return std::ranges::find(list, memory) != list.end();
    };
    receive_store_.clear();
    for (const std::string_view name : profile_->receive_stores) {
        const std::string m{name};
        if (!in_list(2, m) || !receive_store_.empty()) continue;
        const std::string q = "\"" + m + "\"";
        const std::array<std::string, 3> forms{q + "," + q + "," + q, q + "," + q, q};
        for (const std::string& form : forms) {
            auto reply = co_await patient("+CPMS=" + form, BootClock::now() + 2s);
            if (!reply) co_return end_of(reply.error());
            if (!reply->ok()) continue;
            const auto use = at::parse_cpms(reply->lines);
            if (!use.empty() && use.back().total == 0) break;  // this store has no slot at all
            receive_store_ = selected_ = m;
            if (!use.empty()) note_use(m, use.front().used, use.front().total);
            break;
        }
    }
    stores_.clear();
    memory_refusals_.clear();
    for (const char* m : {"SM", "ME", "SR"})
        if (in_list(0, m) && m != receive_store_) stores_.emplace_back(m);
    if (receive_store_ == "MT") stores_.clear();  // the sum of ME and SM
    if (!receive_store_.empty()) stores_.push_back(receive_store_);
    if (receive_store_.empty()) log_.warning("no-receive-store");
    writable_.clear();
    for (const char* m : {"ME", "SM"})
        if (in_list(1, m)) writable_.emplace_back(m);
    if (const auto done = co_await verify_receive_store(); !done) co_return end_of(done.error());
    co_return End::ok;
}

}  // namespace conductor::driver
