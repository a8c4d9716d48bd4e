#pragma once

namespace ashmemo::base {

/// Links the objects of class `T` that a thread has made, so that each one knows the object around
/// it. `T` derives from it. The objects are local variables: a thread destroys the newest one
/// first.
template <class T>
class ThreadStack {
 public:
  ThreadStack(const ThreadStack&) = delete;
  ThreadStack& operator=(const ThreadStack&) = delete;

  /// The newest object of the calling thread, or null.
  [[nodiscard]] static const T* innermost() noexcept { return static_cast<const T*>(innermost_); }
  /// The object that was the newest one when this object was made.
  [[nodiscard]] const T* outer() const noexcept { return static_cast<const T*>(outer_); }

 protected:
  ThreadStack() noexcept : outer_(innermost_) { innermost_ = this; }
  ~ThreadStack() { innermost_ = outer_; }

 private:
  static inline thread_local const ThreadStack* innermost_ = nullptr;

  const ThreadStack* const outer_;
};

}  // namespace ashmemo::base
