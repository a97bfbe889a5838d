#include "modem/driver/finder.hpp"

#include <algorithm>

#include "modem/driver/at_session.hpp"
#include "modem/profile/profile.hpp"

namespace conductor::driver {

using namespace std::chrono_literals;

namespace {
constexpr int most_probes = 16;        ///< at a time
constexpr auto settle = 1s;            ///< the ttys of one stick appear one after the other
constexpr auto look_again = 30s;       ///< while somebody searches, should an event be lost
constexpr auto ask_known_again = 30s;  ///< a SIM may be swapped in a stick that nobody uses
constexpr auto longest_pause = 60s;    ///< between questions to a port that does not answer
constexpr auto longest_busy_pause = 10s;
constexpr auto hangs_up_soon = 10s;
constexpr auto survey_limit = 20s;
constexpr auto reopens_within = 40s;  ///< who closed a port that did not hang up opens it again: the ladder's longest pause, and some
}  // namespace

Finder::Finder(aio::Executor ex, Log log, FinderOptions options)
    : ex_{ex}, log_{std::move(log)}, options_{std::move(options)}, wake_{ex}, idle_{ex} {
    if (!options_.opener) options_.opener = port::open_port;
    if (!options_.candidates) options_.candidates = [scan = options_.scan] { return port::candidates(scan); };
}

Finder::~Finder() = default;

aio::awaitable<void> Finder::run() {
    if (options_.hotplug)
        hotplug_ = std::make_unique<port::Hotplug>(ex_, log_, port::folders_of(options_.scan, options_.ports), [this] { on_hotplug(); });
    refresh();
    while (!stopping_) {
        start_probes();
        const bool raised = co_await wake_.wait_until(next_look());
        if (!raised && somebody_searches()) refresh();
    }
    hotplug_.reset();
    for (auto& [path, entry] : entries_) stop_draining(entry);
    while (probing_ + draining_ > 0) co_await idle_.wait();
}

/// Also for a configured port that the scan does not cover.
void Finder::on_hotplug() {
    refresh();
    tell_all();
}

void Finder::stop() {
    stopping_ = true;
    for (auto& [path, entry] : entries_) stop_draining(entry);
    wake_.raise();
}

void Finder::join(const ModemSettings& settings, std::function<void()> changed) {
    Seeker& s = seekers_[settings.index];
    s.settings = settings;
    s.changed = std::move(changed);
    s.searching = settings.port.empty();
    wake_.raise();
}

void Finder::leave(ModemIndex index) {
    released(index, Release::closed);
    seekers_.erase(index);
}

/// A SIM that asks for its PIN tells no IMSI, and in some modems no ICCID: the one that was last seen behind them is meant.
bool Finder::locked_but_known(const ModemSettings& s, const Entry& e) const {
    if (e.found.sim != "SIM PIN" || s.last.imei.empty()) return false;
    const Identity& who = e.found.who;
    if (!who.iccid.empty()) return same_iccid(s.last.iccid, who.iccid);
    return same_imei(s.last.imei, who.imei);
}

bool Finder::fits(const ModemSettings& s, const Entry& e) const {
    const Identity& who = e.found.who;
    if (!s.imei.empty()) return same_imei(s.imei, who.imei);  // another SIM in it is for its bring-up to tell
    const bool known = locked_but_known(s, e);
    if (!s.iccid.empty() && !same_iccid(s.iccid, who.iccid) && !(known && who.iccid.empty())) return false;
    if (!s.imsi.empty() && s.imsi != who.imsi && !(known && who.imsi.empty())) return false;
    if (named(s)) return true;
    if (!s.usb.empty()) return e.at.usb.device == s.usb || e.at.usb.device.starts_with(s.usb + ".");
    return !s.port.empty() && e.at.name == s.port;
}

/// Among ports of one modem the place that the configuration names, then the port where SMS works best. Clones share an IMEI, not a SIM.
int Finder::preference(const ModemSettings& s, const Entry& e) const {
    int points = e.found.score;
    if (!s.iccid.empty() && same_iccid(s.iccid, e.found.who.iccid)) points += 500;
    if (!s.imsi.empty() && s.imsi == e.found.who.imsi) points += 500;
    if (!s.usb.empty() && e.at.usb.device == s.usb) points += 1000;
    if (!s.port.empty() && (e.at.name == s.port || e.at.path == s.port)) points += 2000;
    return points;
}

bool Finder::siblings_still_asked(const Entry& e) const {
    const Instant now = BootClock::now();
    return std::ranges::any_of(entries_, [&](const auto& row) {
        const Entry& other = row.second;
        if (other.at.group() != e.at.group()) return false;
        const bool young = !other.at.usb.device.empty() && now < other.seen + settle;
        const bool unasked = other.knowledge == Knowledge::asking || (other.knowledge == Knowledge::none && other.fruitless == 0);
        return young || (&other != &e && !other.modem && unasked);
    });
}

/// Another port of a device that fell silent is no better place: it may take AT, and no SMS.
bool Finder::device_is_silent(const Entry& e) const {
    return std::ranges::any_of(entries_, [&](const auto& row) { return row.second.silent && row.second.at.group() == e.at.group(); });
}

Finder::Entry* Finder::entry_of(ModemIndex index) {
    const auto at = std::ranges::find_if(entries_, [&](const auto& row) { return row.second.modem == index; });
    return at == entries_.end() ? nullptr : &at->second;
}

int Finder::interface_of(ModemIndex index) {
    const Entry* e = entry_of(index);
    return e ? e->at.usb.interface : -1;
}

Result<std::string> Finder::place(ModemIndex index) {
    Seeker& s = seekers_[index];
    Entry *best = nullptr, *silent = nullptr;
    bool others = false;  // the configured port holds another modem
    const Entry *busy = nullptr, *denied = nullptr;
    bool locked = false;
    for (auto& [path, e] : entries_) {
        if (e.modem && e.modem != index) continue;
        const bool answered = e.knowledge == Knowledge::known && e.found.answer == Probe::Answer::at;
        const bool possible = named(s.settings) || (!s.settings.usb.empty() && fits(s.settings, e));
        if (possible && e.found.answer == Probe::Answer::busy) busy = &e;
        if (possible && e.found.answer == Probe::Answer::denied) denied = &e;
        if (!answered || !(named(s.settings) || !s.settings.usb.empty())) continue;
        if (!fits(s.settings, e)) {
            locked = locked || (e.found.sim == "SIM PIN" && (e.found.who.imsi.empty() || e.found.who.iccid.empty()));
            others = others || (!s.settings.port.empty() && (e.at.name == s.settings.port || e.at.path == s.settings.port));
            continue;
        }
        if (siblings_still_asked(e)) continue;
        Entry*& place = device_is_silent(e) ? silent : best;
        if (!place || preference(s.settings, e) > preference(s.settings, *place)) place = &e;
    }
    if (!best) best = silent;
    if (best) {
        stop_draining(*best);
        best->modem = index;
        return best->at.name;
    }
    if (!s.settings.port.empty() && !others) return s.settings.port;
    if (!std::exchange(s.searching, true)) wake_.raise();
    if (busy) return fail(port::PortErrc::busy, busy->at.name);
    if (denied) return fail(port::PortErrc::denied, denied->at.name);
    return fail(port::PortErrc::not_found, locked && !s.settings.imsi.empty() ? locked_sim : "scan");
}

void Finder::opened(ModemIndex index, const std::string& name) {
    Seeker& s = seekers_[index];
    s.has_port = true;
    s.searching = false;
    s.port_path = name;
    for (auto& [path, e] : entries_) {
        if (e.at.name == name) s.port_path = path;
        if (e.modem == index && e.at.name != name) e.modem.reset();
    }
    if (const auto at = port::candidate(name); at && !entries_.contains(s.port_path)) s.port_path = at->path;
    const auto entry = entries_.find(s.port_path);
    if (entry == entries_.end()) return;
    stop_draining(entry->second);
    entry->second.modem = index;
}

void Finder::learnt(ModemIndex index, const Identity& identity) {
    Entry* e = entry_of(index);
    if (!e) return;
    e->found.who = identity;
    e->found.answer = Probe::Answer::at;
    e->silent = false;
    e->found.profile = profile::profile_for(identity.manufacturer, identity.model).name;
    e->knowledge = Knowledge::known;
    e->generation = ++generations_;
    ModemSettings& settings = seekers_[index].settings;
    if (!identity.iccid.empty() && fits(settings, *e)) settings.last = identity;
    if (fits(seekers_[index].settings, *e) || !seekers_[index].settings.port.empty()) quieten(*e);
    wake_.raise();
}

void Finder::released(ModemIndex index, Release why) {
    const auto seeker = seekers_.find(index);
    if (seeker != seekers_.end()) {
        seeker->second.has_port = false;
        seeker->second.port_path.clear();
        if (seeker->second.settings.port.empty()) seeker->second.searching = true;
    }
    Entry* e = entry_of(index);
    if (e) {
        e->modem.reset();
        if (why == Release::gone)
            forget(*e);
        else if (seeker != seekers_.end() && fits(seeker->second.settings, *e)) {
            e->silent = e->silent || why == Release::silent;
            e->ask_at = std::max(e->ask_at, BootClock::now() + reopens_within);
        }
    }
    wake_.raise();
}

void Finder::search(ModemIndex index) {
    seekers_[index].searching = true;
    wake_.raise();
}

void Finder::forget(Entry& e) {
    e.knowledge = Knowledge::none;
    e.found = {};
    e.silent = false;
    e.fruitless = e.early = 0;
    e.ask_at = BootClock::now() + 50ms;  // a line that hangs up may still have its name for a moment
    e.generation = ++generations_;
}

void Finder::keep_handed_over(const std::string& whose, std::vector<at::Direct> pdus) {
    auto& kept = handed_over_[whose];
    const std::size_t room = Inbox::max_handed_over - std::min(kept.size(), Inbox::max_handed_over);
    if (pdus.size() > room) log_.warning("handed-over-dropped", {{"count", pdus.size() - room}});
    for (std::size_t i = 0; i < std::min(room, pdus.size()); ++i) kept.push_back(std::move(pdus[i]));
}

std::vector<at::Direct> Finder::take_handed_over(ModemIndex index, const std::string& imei) {
    std::vector<at::Direct> all;
    const Entry* e = entry_of(index);
    for (const std::string& key : {imei, e ? e->at.group() : std::string{}}) {
        const auto kept = key.empty() ? handed_over_.end() : handed_over_.find(key);
        if (kept == handed_over_.end()) continue;
        std::ranges::move(kept->second, std::back_inserter(all));
        handed_over_.erase(kept);
    }
    return all;
}

void Finder::tell_all() {
    for (auto& [index, seeker] : seekers_)
        if (!seeker.has_port && seeker.changed) seeker.changed();
}

void Finder::refresh() {
    std::map<std::string, Entry> now;
    bool changed = false;
    for (port::Candidate& at : options_.candidates()) {
        const auto before = entries_.find(at.path);
        Entry entry;
        if (before != entries_.end()) {
            entry = std::move(before->second);
            entries_.erase(before);
        } else {
            entry.seen = BootClock::now();
        }
        const bool other = entry.at.incarnation != at.incarnation || entry.at.name != at.name;
        entry.at = std::move(at);
        if (other && !entry.modem && !entry.drained) {  // one in use tells by its hang-up
            forget(entry);
            entry.ask_at = {};
            entry.seen = BootClock::now();
            entry.settled = false;
        }
        changed = changed || other;
        for (const auto& [index, s] : seekers_)
            if (s.has_port && s.port_path == entry.at.path) entry.modem = index;
        now.emplace(entry.at.path, std::move(entry));
    }
    changed = changed || !entries_.empty();
    for (auto& [path, gone] : entries_) stop_draining(gone);
    entries_ = std::move(now);
    if (!changed) return;
    wake_.raise();
    tell_all();
}

bool Finder::somebody_searches() const {
    return survey_ || std::ranges::any_of(seekers_, [](const auto& row) { return row.second.searching && !row.second.has_port; });
}

/// A port is asked when its answer may help somebody, or when its stick is in use and floods the ports that nobody reads.
bool Finder::may_ask(const Entry& e) const {
    if (e.modem || e.drained || e.knowledge == Knowledge::asking) return false;
    bool wanted = survey_;
    for (const auto& [index, s] : seekers_) {
        if (s.port_path == e.at.path) return false;
        const bool theirs = !s.settings.port.empty() && (s.settings.port == e.at.name || s.settings.port == e.at.path);
        if (theirs && !s.searching) return false;  // it opens that one itself
        if (s.searching && !s.has_port) wanted = wanted || named(s.settings) || fits(s.settings, e);
    }
    if (wanted) return true;
    return e.knowledge == Knowledge::none && e.fruitless == 0 && flooded(e);
}

bool Finder::flooded(const Entry& e) const {
    return !e.at.usb.device.empty() && std::ranges::any_of(entries_, [&](const auto& row) {
        const Entry& other = row.second;
        return other.modem && other.at.group() == e.at.group() && other.knowledge == Knowledge::known &&
               !profile::profile_for(other.found.who.manufacturer, other.found.who.model).other_ports.empty();
    });
}

Instant Finder::next_look() const {
    Instant next = Instant::max();
    if (somebody_searches()) next = BootClock::now() + look_again;
    for (const auto& [path, e] : entries_) {
        if (e.knowledge == Knowledge::asking) continue;
        if (probing_ < most_probes && may_ask(e)) next = std::min(next, std::max(e.ask_at, BootClock::now() + 10ms));
        if (somebody_searches() && BootClock::now() < e.seen + settle) next = std::min(next, e.seen + settle);
    }
    return next;
}

/// Ports on a serial adapter may have a modem at a fixed rate: the rates of those who search are tried in turn.
unsigned Finder::baud_for(const Entry& e) const {
    std::vector<unsigned> rates;
    for (const auto& [index, s] : seekers_)
        if (s.searching && std::ranges::find(rates, s.settings.baud) == rates.end()) rates.push_back(s.settings.baud);
    if (rates.empty()) return 115200;
    return rates[static_cast<std::size_t>(e.fruitless) % rates.size()];
}

void Finder::start_probes() {
    const Instant now = BootClock::now();
    bool settled = false;
    for (auto& [path, e] : entries_) {
        if (!e.settled && now >= e.seen + settle) settled = e.settled = true;
        if (probing_ >= most_probes || stopping_ || now < e.ask_at || !may_ask(e)) continue;
        e.knowledge = Knowledge::asking;
        ++probing_;
        ++probes_;
        asio::co_spawn(ex_, probe(e.at, e.generation, baud_for(e)), asio::detached);
    }
    if (settled) tell_all();
}

aio::awaitable<void> Finder::probe(port::Candidate at, std::uint64_t generation, unsigned baud) {
    const std::string path = at.path;
    Probe found = co_await probe_port(ex_, options_.opener, std::move(at), baud, survey_ ? 2 : 1);
    --probing_;
    idle_.raise();
    if (!stopping_) store(path, generation, std::move(found));
}

void Finder::store(const std::string& path, std::uint64_t generation, Probe found) {
    const auto at = entries_.find(path);
    const std::string device = at == entries_.end() ? path : at->second.at.group();
    if (!found.handed_over.empty()) keep_handed_over(found.who.imei.empty() ? device : found.who.imei, std::move(found.handed_over));
    if (at == entries_.end() || at->second.generation != generation) {  // pulled out, or another one by now
        if (at != entries_.end() && at->second.knowledge == Knowledge::asking) at->second.knowledge = Knowledge::none;
        return wake_.raise();
    }
    Entry& e = at->second;
    const bool answers = found.answer == Probe::Answer::at;
    const bool busy = found.answer == Probe::Answer::busy || found.answer == Probe::Answer::denied;
    const Probe::Answer before = e.silent ? Probe::Answer::deaf : e.found.answer;
    const bool news = e.fruitless == 0 || answers || found.answer != before;
    if (news)
        log_.info("port-asked",
                  {{"port", e.at.name}, {"answer", to_string(found.answer)}, {"model", found.who.model}, {"score", found.score}});
    e.silent = found.answer == Probe::Answer::deaf && e.found.answer == Probe::Answer::at;
    if (!e.silent) e.found = std::move(found);
    e.knowledge = Knowledge::known;
    e.fruitless = answers ? 0 : std::min(e.fruitless + 1, 10);
    // a modem that was just plugged in is deaf while it starts: soon at first
    auto pause = 250ms * (1 << std::min(e.fruitless, 8));
    // and one that answers may not have read its SIM yet
    const bool early =
        answers && e.found.sim != "absent" && (e.found.sim != "READY" || e.found.who.iccid.empty() || e.found.who.imsi.empty());
    e.early = early ? std::min(e.early + 1, 10) : 0;
    if (early)
        pause = std::min<std::chrono::milliseconds>(500ms * (1 << e.early), ask_known_again);
    else
        pause = answers ? ask_known_again : std::min<std::chrono::milliseconds>(pause, busy ? longest_busy_pause : longest_pause);
    e.ask_at = BootClock::now() + pause;
    if (flooded(e)) quieten_one(e);
    wake_.raise();
    tell_all();
}

void Finder::quieten(const Entry& chosen) {
    if (profile::profile_for(chosen.found.who.manufacturer, chosen.found.who.model).other_ports.empty()) return;
    for (auto& [path, e] : entries_)
        if (&e != &chosen && !e.modem && e.at.group() == chosen.at.group() && e.knowledge == Knowledge::known) quieten_one(e);
}

void Finder::quieten_one(Entry& e) {
    if (e.drained || stopping_ || e.found.answer == Probe::Answer::busy || e.found.answer == Probe::Answer::denied) return;
    e.drained = std::make_shared<Drain>();
    ++draining_;
    asio::co_spawn(ex_, drain(e.at.path, e.at.name, e.drained), asio::detached);
}

/// Silences a port that nobody uses and reads what comes there all the same, until it hangs up or is wanted.
aio::awaitable<void> Finder::drain(std::string path, std::string name, std::shared_ptr<Drain> self) {
    const Instant begun = BootClock::now();
    auto stream = co_await options_.opener(name, port::PortSettings{});
    if (stream && !self->stopped) {
        self->stream = std::move(*stream);
        log_.info("port-drained", {{"port", name}});
        const auto at = entries_.find(path);
        const bool speaks = at != entries_.end() && at->second.found.answer == Probe::Answer::at;
        if (speaks) {
            const auto& who = at->second.found.who;
            for (const std::string_view command : profile::profile_for(who.manufacturer, who.model).other_ports) {
                const std::string line = "AT" + std::string{command} + "\r";
                const std::span<const std::uint8_t> octets{reinterpret_cast<const std::uint8_t*>(line.data()), line.size()};
                const auto written = co_await self->stream->write(octets);
                if (!written) break;
            }
        }
        std::array<std::uint8_t, 512> buffer;
        for (bool open = true; open;) {
            const auto got = co_await self->stream->read_some(buffer);
            open = got.has_value();
        }
        self->stream->close();
    }
    --draining_;
    idle_.raise();
    const auto at = entries_.find(path);
    if (at == entries_.end() || at->second.drained != self) co_return;
    at->second.drained.reset();
    if (!self->stopped) {  // one that hangs up at once is asked less and less often
        Entry& e = at->second;
        forget(e);
        e.hang_ups = BootClock::now() - begun < hangs_up_soon ? std::min(e.hang_ups + 1, 10) : 0;
        if (e.hang_ups > 0) e.ask_at = BootClock::now() + std::min<std::chrono::milliseconds>(250ms * (1 << e.hang_ups), longest_pause);
    }
    wake_.raise();
}

void Finder::stop_draining(Entry& e) {
    if (!e.drained) return;
    e.drained->stopped = true;
    if (e.drained->stream) e.drained->stream->close();
    e.drained.reset();
}

std::vector<PortReport> Finder::report() const {
    std::vector<PortReport> all;
    for (const auto& [path, e] : entries_) {
        PortReport r;
        r.at = e.at;
        r.found = e.found;
        if (e.silent) r.found.answer = Probe::Answer::deaf;
        r.modem = e.modem;
        r.probed = e.knowledge == Knowledge::known || !e.found.who.imei.empty();
        r.quietened = e.drained != nullptr;
        for (const auto& [index, s] : seekers_) {
            const bool by_place = !named(s.settings) && fits(s.settings, e);
            const bool known = by_place || (e.found.answer == Probe::Answer::at && r.probed && fits(s.settings, e));
            if (known && !r.meant) r.meant = index;
        }
        all.push_back(std::move(r));
    }
    return all;
}

aio::awaitable<std::vector<PortReport>> Finder::survey() {
    refresh();
    survey_ = true;
    for (auto& [path, e] : entries_) e.ask_at = {};
    wake_.raise();
    const Instant until = BootClock::now() + survey_limit;
    const auto unasked = [this] {
        return std::ranges::any_of(entries_, [this](const auto& row) {
            return row.second.knowledge == Knowledge::asking || (row.second.ask_at == Instant{} && may_ask(row.second));
        });
    };
    while (unasked() && BootClock::now() < until && !stopping_) co_await aio::sleep_for(50ms);
    survey_ = false;
    co_return report();
}

std::optional<ModemIndex> Finder::user_of(const std::string& name) const {
    const auto at = port::candidate(name);
    const std::string path = at ? at->path : name;
    for (const auto& [index, s] : seekers_)
        if (s.has_port && s.port_path == path) return index;
    return std::nullopt;
}

aio::awaitable<Result<Examined>> Finder::examine_free(std::string name) {
    if (user_of(name)) co_return fail(port::PortErrc::busy, name);
    auto at = port::candidate(name);
    if (!at) co_return at.error();
    const std::string path = at->path;
    const Instant until = BootClock::now() + survey_limit;
    const auto asked = [&] { return entries_.contains(path) && entries_.at(path).knowledge == Knowledge::asking; };
    while (asked() && BootClock::now() < until) co_await aio::sleep_for(50ms);
    if (const auto e = entries_.find(path); e != entries_.end()) {
        stop_draining(e->second);
        e->second.knowledge = Knowledge::asking;
    }
    Examined result = co_await examine_port(ex_, options_.opener, *at, 115200);
    if (const auto e = entries_.find(path); e != entries_.end()) store(path, e->second.generation, result.probe);
    co_return result;
}

}  // namespace conductor::driver
