#include "fuzz/edits.hpp"

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace ashmemo::fuzz {
namespace {

constexpr std::size_t kDatabaseHeader = 100;

// Limits of integer types, sizes of 1 GiB and more, and small page numbers.
constexpr std::array<std::uint32_t, 16> kOddNumbers = {
    0,      1,      2,       3,          0x7F,       0x80,       0xFF,       0x100,
    0x7FFF, 0xFFFF, 0x10000, 0x3FFFFFFF, 0x40000000, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF};

// Similar numbers as varints, for lengths and serial types in records.
constexpr std::array<std::string_view, 8> kOddVarints = {
    std::string_view("\x00", 1),
    "\x0A",
    "\x7F",
    std::string_view("\x81\x00", 2),
    "\x84\x80\x80\x80\x0C",                  // the type of a text of about 1 GiB
    "\x87\xFF\xFF\xFF\x7F",                  // 2^31 - 1
    "\x8F\xFF\xFF\xFF\x7F",                  // 2^32 - 1
    "\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF",  // -1
};

// The offsets of the 4-byte fields in the first 100 bytes of the file, including the application
// id.
constexpr std::array<std::size_t, 16> kFields = {16, 20, 24, 28, 32, 36, 40, 44,
                                                 48, 52, 56, 60, 64, 68, 92, 96};

struct Edit {
  std::size_t page = 0;
  std::size_t where = 0;
  std::uint8_t value = 0;
  std::uint8_t more = 0;
};

class Editor {
 public:
  Editor(std::string& file, const Layout& layout) : file_(file), layout_(layout) {}

  void set_byte(const Edit& edit) {
    write(page_start(edit) + edit.where % kPageBytes, {&chars(edit), 1});
  }

  void set_number(const Edit& edit) {
    write_number(page_start(edit) + edit.where % kPageBytes, odd_number(edit), 1 + edit.more % 4);
  }

  void set_varint(const Edit& edit) {
    write(page_start(edit) + edit.where % kPageBytes, kOddVarints[edit.value % kOddVarints.size()]);
  }

  void set_byte_of_cell(const Edit& edit) { write(cell(edit) + edit.more, {&chars(edit), 1}); }

  void set_varint_of_cell(const Edit& edit) {
    write(cell(edit) + edit.more, kOddVarints[edit.value % kOddVarints.size()]);
  }

  void set_pointer_of_cell(const Edit& edit) {
    write_number(pointer(edit), static_cast<std::uint32_t>(edit.value) << 8 | edit.more, 2);
  }

  void set_field(const Edit& edit) {
    if (layout_.header_bytes == 0) {
      write_number(kFields[edit.where % kFields.size()], odd_number(edit), 4);
    } else if (edit.more % 4 == 0) {
      write_number(edit.where % 8 * 4, odd_number(edit), 4);
    } else {
      write_number(page_start(edit) - layout_.frame_header_bytes + edit.where % 6 * 4,
                   odd_number(edit), 4);
    }
  }

  void copy_page(const Edit& edit) {
    const std::size_t from = page_start(edit);
    if (from + kPageBytes > file_.size()) return;
    write(page_start({edit.where % pages(), 0, 0, 0}), file_.substr(from, kPageBytes));
  }

  void cut(const Edit& edit) {
    const std::size_t size = page_start(edit) + edit.where % (2 * kPageBytes);
    if (size < file_.size()) file_.resize(size);
  }

  void fill(const Edit& edit) {
    write(page_start(edit) + edit.where % kPageBytes,
          std::string(1U + edit.more, static_cast<char>(edit.value)));
  }

  [[nodiscard]] std::size_t pages() const {
    return std::max<std::size_t>(layout_.pages_in(file_.size()), 1);
  }

 private:
  static std::uint32_t odd_number(const Edit& edit) {
    return kOddNumbers[edit.value % kOddNumbers.size()];
  }

  const char& chars(const Edit& edit) {
    byte_ = static_cast<char>(edit.value);
    return byte_;
  }

  [[nodiscard]] std::size_t page_start(const Edit& edit) const {
    return layout_.page_at(edit.page);
  }

  [[nodiscard]] std::uint32_t byte_at(std::size_t at) const {
    return at < file_.size() ? static_cast<unsigned char>(file_[at]) : 0;
  }
  [[nodiscard]] std::uint32_t pair_at(std::size_t at) const {
    return byte_at(at) << 8 | byte_at(at + 1);
  }

  // The start of the b-tree header in the page. In the first page, the file header is before it.
  [[nodiscard]] std::size_t tree(const Edit& edit) const {
    const std::size_t start = page_start(edit);
    const bool first = file_.compare(start, 6, "SQLite") == 0;
    return start + (first ? kDatabaseHeader : 0);
  }
  [[nodiscard]] std::size_t pointer(const Edit& edit) const {
    constexpr std::uint32_t leaf = 0x08;
    const std::size_t header = tree(edit);
    const std::size_t cells = std::max<std::uint32_t>(pair_at(header + 3), 1);
    return header + ((byte_at(header) & leaf) != 0 ? 8 : 12) + edit.where % cells * 2;
  }
  [[nodiscard]] std::size_t cell(const Edit& edit) const {
    return page_start(edit) + pair_at(pointer(edit));
  }

  void write(std::size_t at, std::string_view bytes) {
    if (at >= file_.size()) return;
    file_.replace(at, std::min(bytes.size(), file_.size() - at),
                  bytes.substr(0, file_.size() - at));
  }

  void write_number(std::size_t at, std::uint32_t number, int bytes) {
    std::string text;
    for (int i = bytes - 1; i >= 0; --i) text += static_cast<char>(number >> (8 * i) & 0xFF);
    write(at, text);
  }

  std::string& file_;
  const Layout layout_;
  char byte_ = 0;
};

constexpr std::array kKinds = {
    &Editor::set_byte,
    &Editor::set_number,
    &Editor::set_varint,
    &Editor::set_byte_of_cell,
    &Editor::set_varint_of_cell,
    &Editor::set_pointer_of_cell,
    &Editor::set_field,
    &Editor::copy_page,
    &Editor::cut,
    &Editor::fill,
};

}  // namespace

void edit(std::string& file, const Layout& layout, Input& input) {
  Editor editor(file, layout);
  const auto kind = kKinds[input.byte() % kKinds.size()];
  Edit made;
  made.page = input.byte() % editor.pages();
  made.where = input.number(2);
  made.value = input.byte();
  made.more = input.byte();
  if (layout.page_at(made.page) < file.size()) (editor.*kind)(made);
}

}  // namespace ashmemo::fuzz
