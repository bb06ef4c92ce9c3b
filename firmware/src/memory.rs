//! The objects that a node reaches through pointers.
//!
//! A host of many nodes lets them take turns, and by the time it is a node's turn again its state
//! has left the caches. Such a host may fetch ahead what the next message is going to need.

/// Sees the objects in memory that the next message of a node needs.
pub trait Visitor {
    /// Called with every object; nothing may be read through the reference but its address.
    ///
    /// Reading would be harmless and pointless: waiting for the memory is what is to be avoided.
    fn visit<T>(&mut self, object: &T);
}
