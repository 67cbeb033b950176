//! Work on many documents side by side: pure computing, no storage.

/// Items below which threads cost more than they save.
const ITEMS_MIN: usize = 24;
/// Threads used at most: a tablet has other things to do.
const THREADS_MAX: usize = 4;

/// Maps items, in order, on as many threads as are worth it.
pub(crate) fn side_by_side<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    if items.len() < ITEMS_MIN || threads < 2 {
        return items.into_iter().map(work).collect();
    }
    let size = items.len().div_ceil(threads);
    let mut chunks: Vec<Vec<T>> = Vec::with_capacity(threads);
    let mut items = items.into_iter();
    loop {
        let chunk: Vec<T> = items.by_ref().take(size).collect();
        if chunk.is_empty() {
            break;
        }
        chunks.push(chunk);
    }
    let work = &work;
    std::thread::scope(|scope| {
        let handles: Vec<_> = chunks
            .into_iter()
            .map(|chunk| scope.spawn(move || chunk.into_iter().map(work).collect::<Vec<R>>()))
            .collect();
        let results = handles.into_iter().map(|handle| handle.join());
        // A panic in one of them is a panic here: the transaction around it is rolled back.
        results.flat_map(|joined| joined.unwrap_or_else(|panic| std::panic::resume_unwind(panic))).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_the_order_of_the_items_however_many_there_are() {
        for count in [0, 1, 23, 24, 25, 1_000] {
            let items: Vec<usize> = (0..count).collect();
            assert_eq!(
                side_by_side(items.clone(), |n| n + 1),
                items.iter().map(|n| n + 1).collect::<Vec<_>>()
            );
        }
    }
}
