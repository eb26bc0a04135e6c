//! What becomes of every state that can be reached if nothing more goes wrong.
//!
//! Each step that is no fault is taken some time if it stays possible, so the order is accepted in the end exactly if from
//! wherever such steps lead acceptance can still be reached by them. stateright's own `eventually` misses paths that come back
//! to where they were, and waiting for a turn is such a path; so the graph is walked backwards here.

use crate::database::Number;
use crate::world::{Action, Gates, World};
use stateright::Model;
use std::collections::HashMap;

/// All states that can be reached, and from where each is reached without a fault.
pub struct Graph {
    worlds: Vec<World>,
    calmly_from: Vec<Vec<usize>>,
}

impl Graph {
    pub fn of(gates: &Gates) -> Self {
        let mut graph = Self { worlds: Vec::new(), calmly_from: Vec::new() };
        let mut numbers = HashMap::new();
        for world in gates.init_states() {
            graph.number(world, &mut numbers);
        }
        let mut next = 0;
        while next < graph.worlds.len() {
            for (action, world) in gates.next_steps(&graph.worlds[next].clone()) {
                if gates.within_boundary(&world) {
                    let to = graph.number(world, &mut numbers);
                    if !matches!(action, Action::Fault(_)) {
                        graph.calmly_from[to].push(next);
                    }
                }
            }
            next += 1;
        }
        graph
    }

    fn number(&mut self, world: World, numbers: &mut HashMap<World, usize>) -> usize {
        *numbers.entry(world).or_insert_with_key(|world| {
            self.worlds.push(world.clone());
            self.calmly_from.push(Vec::new());
            self.worlds.len() - 1
        })
    }

    /// A state from which nothing but another fault leads to acceptance; one near the beginning.
    pub fn stuck(&self) -> Option<&World> {
        let mut leads_on: Vec<bool> = self.worlds.iter().map(|world| world.database.accepted).collect();
        let mut walk: Vec<usize> = (0..self.worlds.len()).filter(|&world| leads_on[world]).collect();
        while let Some(world) = walk.pop() {
            for &before in &self.calmly_from[world] {
                if !std::mem::replace(&mut leads_on[before], true) {
                    walk.push(before);
                }
            }
        }
        let stuck = leads_on.iter().position(|leads_on| !leads_on)?;
        self.worlds.get(stuck)
    }

    /// The highest number that can be given.
    pub fn most_attempts(&self) -> Number {
        self.worlds.iter().map(|world| world.database.attempts).max().unwrap_or_default()
    }
}
