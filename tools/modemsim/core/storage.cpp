#include "tools/modemsim/core/storage.hpp"

namespace conductor::modemsim {

bool Storage::has(const std::string& name) const {
    if (name == "MT") return at("SM").size > 0 || at("ME").size > 0;
    const auto found = memories_.find(name);
    return found != memories_.end() && found->second.size > 0;
}

std::vector<std::string> Storage::names(bool with_reports) const {
    std::vector<std::string> out;
    for (const char* name : {"SM", "ME", "MT"}) {
        if (has(name)) out.emplace_back(name);
    }
    if (with_reports && has("SR")) out.emplace_back("SR");
    return out;
}

int Storage::size(const std::string& name) const {
    return name == "MT" ? at("ME").size + at("SM").size : at(name).size;
}

int Storage::used(const std::string& name) const {
    if (name == "MT") return used("ME") + used("SM");
    return static_cast<int>(at(name).slots.size());
}

int Storage::add(const std::string& name, Slot slot) {
    if (name == "MT") {
        const bool in_me = !at("ME").full();
        const int index = add(in_me ? "ME" : "SM", std::move(slot));
        return index < 0 || in_me ? index : index + at("ME").size;
    }
    Memory& m = memories_.at(name);
    for (int position = 0; position < m.size; ++position) {
        if (m.slots.try_emplace(position, slot).second) return position + first_;
    }
    return -1;
}

Storage::Place Storage::place(const std::string& name, int index) const {
    const int position = index - first_;
    if (name != "MT") return {name, position};
    return position < at("ME").size ? Place{"ME", position} : Place{"SM", position - at("ME").size};
}

Slot* Storage::find(const std::string& name, int index) {
    const Place p = place(name, index);
    auto& slots = memories_.at(p.name).slots;
    const auto found = slots.find(p.position);
    return found == slots.end() ? nullptr : &found->second;
}

bool Storage::erase(const std::string& name, int index) {
    const Place p = place(name, index);
    return memories_.at(p.name).slots.erase(p.position) > 0;
}

std::vector<int> Storage::list(const std::string& name) const {
    std::vector<int> out;
    if (name == "MT") {
        out = list("ME");
        for (const int index : list("SM")) out.push_back(index + at("ME").size);
        return out;
    }
    for (const auto& [position, slot] : at(name).slots) out.push_back(position + first_);
    return out;
}

}  // namespace conductor::modemsim
