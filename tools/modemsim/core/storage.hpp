#pragma once
// The memories of one modem: SM (on the SIM), ME, SR (status reports), and MT, which is ME and SM seen as one.
#include <map>
#include <string>
#include <vector>

#include "tools/modemsim/core/text.hpp"

namespace conductor::modemsim {

enum class Stat { unread = 0, read = 1, unsent = 2, sent = 3 };  ///< TS 27.005 <stat> in PDU mode

struct Slot {
    Stat stat = Stat::unread;
    Octets pdu;  ///< SMSC field and TPDU
};

struct Memory {
    int size = 0;
    std::map<int, Slot> slots;  ///< by position from 0
    bool full() const { return static_cast<int>(slots.size()) >= size; }
};

class Storage {
public:
    Storage(int sm, int me, int sr, int first_index) : first_{first_index} {
        memories_ = {{"SM", {sm, {}}}, {"ME", {me, {}}}, {"SR", {sr, {}}}};
    }

    bool has(const std::string& name) const;
    /// Names that +CPMS=? lists, in order.
    std::vector<std::string> names(bool with_reports) const;
    int size(const std::string& name) const;
    int used(const std::string& name) const;
    /// Index as the AT commands count, or -1 when there is no room.
    int add(const std::string& name, Slot slot);
    Slot* find(const std::string& name, int index);
    bool erase(const std::string& name, int index);
    /// Indices in use, ascending.
    std::vector<int> list(const std::string& name) const;
    /// True when an index could exist, full or not.
    bool in_range(const std::string& name, int index) const { return index >= first_ && index < first_ + size(name); }
    int first_index() const { return first_; }
    void resize(const std::string& name, int slots) { memories_[name].size = slots; }
    Memory& memory(const std::string& name) { return memories_[name]; }

private:
    // The real memory and position behind an index.
    struct Place {
        std::string name;
        int position;
    };
    Place place(const std::string& name, int index) const;
    const Memory& at(const std::string& name) const { return memories_.at(name); }
    std::map<std::string, Memory> memories_;
    int first_;
};

}  // namespace conductor::modemsim
