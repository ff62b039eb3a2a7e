//! A graph as bytes: its links, so that it need not be built again.

use super::graph::Graph;
use super::node::MOST_LINKS;
use super::{Code, Moved};
use crate::codec::{Reader, Writer};
use crate::learn_error::LearnError;

impl Graph {
    /// Writes the links; vectors are named by `ordinal`, which is the caller's number for a slot.
    pub(crate) fn save(&self, writer: &mut Writer, ordinal: impl Fn(u32) -> u32) {
        let mut order = vec![0; self.nodes.n_places()];
        for ((place, _), number) in self.nodes.iter().zip(0_u32..) {
            order[place as usize] = number;
        }
        writer.u64(self.n_inserted);
        writer.u32(self.entry.map_or(u32::MAX, |place| order[place as usize]));
        writer.len(self.nodes.len());
        for (_, node) in self.nodes.iter() {
            let slots: Vec<u32> = node.slots.iter().map(&ordinal).collect();
            list(writer, &slots);
            writer.u32(node.upper.len() as u32);
            for level in 0..=node.upper.len() {
                let links: Vec<u32> = node
                    .links(level)
                    .iter()
                    .map(|place| order[*place as usize])
                    .collect();
                list(writer, &links);
            }
        }
    }

    /// Reads what [`save`](Self::save) wrote, with the vectors as `vector` gives them; and where each is now.
    pub(crate) fn load(
        reader: &mut Reader,
        vector: impl Fn(u32) -> Option<(u32, Code)>,
    ) -> Result<(Self, Vec<Moved>), LearnError> {
        let mut graph = Self::default();
        graph.n_inserted = reader.u64()?;
        let entry = reader.u32()?;
        let n_nodes = reader.len(12)?;
        let mut moved = Vec::new();
        for _ in 0..n_nodes {
            graph.load_node(reader, n_nodes, &vector, &mut moved)?;
        }
        graph.entry = (n_nodes > 0).then_some(entry);
        let top = graph.nodes.iter().map(|(_, node)| node.upper.len()).max();
        if top
            != graph
                .entry
                .and_then(|place| graph.node(place))
                .map(|node| node.upper.len())
        {
            return Err(LearnError::state("a graph without its entry"));
        }
        Ok((graph, moved))
    }

    fn load_node(
        &mut self,
        reader: &mut Reader,
        n_nodes: usize,
        vector: impl Fn(u32) -> Option<(u32, Code)>,
        moved: &mut Vec<Moved>,
    ) -> Result<(), LearnError> {
        let missing = || LearnError::state("a graph of vectors that are not there");
        let slots = read_list(reader, u32::MAX)?;
        let (first, others) = slots.split_first().ok_or_else(missing)?;
        let (slot, code) = vector(*first).ok_or_else(missing)?;
        let n_levels = reader.u32()? as usize;
        if n_levels > super::graph::MOST_LEVELS {
            return Err(LearnError::state("a graph with too many levels"));
        }
        let place = self.add_node(slot, code, n_levels);
        moved.push(Moved { slot, place });
        for other in others {
            let (slot, _) = vector(*other).ok_or_else(missing)?;
            self.add_slot(slot, place);
            moved.push(Moved { slot, place });
        }
        for level in 0..=n_levels {
            let links = read_list(reader, n_nodes as u32)?;
            if links.len() > MOST_LINKS {
                return Err(LearnError::state("a graph with too many links"));
            }
            links
                .iter()
                .for_each(|to| self.push_link(place, *to, level));
        }
        Ok(())
    }
}

fn list(writer: &mut Writer, numbers: &[u32]) {
    writer.u32(numbers.len() as u32);
    numbers.iter().for_each(|number| writer.u32(*number));
}

/// Numbers below `bound`.
fn read_list(reader: &mut Reader, bound: u32) -> Result<Vec<u32>, LearnError> {
    let n = reader.u32()?;
    let mut numbers = Vec::new();
    for _ in 0..n {
        let number = reader.u32()?;
        if number >= bound {
            return Err(LearnError::state(format!("{number} of {bound} vectors")));
        }
        numbers.push(number);
    }
    Ok(numbers)
}
